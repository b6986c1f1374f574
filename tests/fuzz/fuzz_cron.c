/* A cron expression in a zone by a rule, both from the input (a newline between them): what is taken has an instant behind each moment,
 * whose local time it fits or whose clocks jump there, and instants only go on. */
#include "common/err.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/civil.h"
#include "server/daemon/nightly/cron.h"
#include "server/daemon/nightly/zone.h"
#include "tests/zone_rule.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cron *cron, const struct zone *zone, int64_t after)
{
	for (int i = 0; i < 8; i++) {
		int64_t t = cron_next(cron, zone, after), local;
		struct zone_span span;

		if (t == INT64_MAX) /* a rule may jump over the only minute of a year for ever */
			return;
		if (t <= after || cron_last(cron, zone, after, t) != t)
			abort();
		span = zone_span_at(zone, t);
		if (span.from > t || span.until <= t)
			abort();
		local = floor_div(t + span.offset, 60);
		if (t != span.from && !cron_fits(cron, floor_div(local, 1440),
		                                 (int)(local - floor_div(local, 1440) * 1440)))
			abort();
		after = t;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512];
	size_t len = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
	char *rule;
	struct cron cron;
	struct zone *zone;

	memcpy(text, data, len);
	text[len] = '\0';
	rule = strchr(text, '\n');
	if (rule)
		*rule++ = '\0';
	if (cron_parse(text, &cron, NULL) < 0)
		return 0;
	zone = zone_of_rule(rule ? rule : "UTC0");
	if (zone)
		for (int64_t year = 2000; year < 2110; year += 13)
			check(&cron, zone, civil_days(year, 3, 1) * DAY_S);
	zone_free(zone);
	return 0;
}
