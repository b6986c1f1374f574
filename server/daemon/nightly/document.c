#include "server/daemon/nightly/document.h"

#include "common/err.h"
#include "common/jx.h"
#include "server/daemon/nightly/zone.h"
#include "server/daemon/store/schedules.h"

#include <stddef.h>
#include <string.h>

#define WINDOW_MAX (7L * 86400)

static void check_cron(const struct schedules_new *s, struct jx_errors *errors)
{
	struct cron cron;
	struct err err;

	if (s->cron && cron_parse(s->cron, &cron, &err) < 0)
		jx_complain(errors, "/cron", "%s", err.text);
}

static void check_zone(const struct schedules_new *s, struct jx_errors *errors)
{
	struct err err;

	if (!zone_named(s->zone, &err))
		jx_complain(errors, "/zone", "%s", err.text);
}

bool schedules_read(json_t *doc, struct schedules_new *out, struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"name", JX_STRING, true, 1, 64, offsetof(struct schedules_new, name)},
		{"cron", JX_STRING, true, 1, CRON_MAX, offsetof(struct schedules_new, cron)},
		{"zone", JX_STRING, false, 1, 64, offsetof(struct schedules_new, zone)},
		{"job", JX_OBJECT, true, 0, 0, offsetof(struct schedules_new, job)},
		{"window_s", JX_INT, false, 60, WINDOW_MAX,
	         offsetof(struct schedules_new, window_s)},
		{"overlap", JX_STRING, false, 1, 16, offsetof(struct schedules_new, overlap)},
		{"catch_up", JX_STRING, false, 1, 16, offsetof(struct schedules_new, catch_up)},
		{"report", JX_BOOL, false, 0, 0, offsetof(struct schedules_new, report)},
	};
	enum nightly_overlap overlap;

	*out = (struct schedules_new){.zone = "UTC", .overlap = "skip", .catch_up = "none"};
	(void)jx_read(doc, fields, sizeof(fields) / sizeof(fields[0]), out, "", errors);
	if (out->name && !jx_name_valid(out->name))
		jx_complain(errors, "/name", "must be a name: [A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
	check_cron(out, errors);
	check_zone(out, errors);
	if (!nightly_overlap_parse(out->overlap, &overlap))
		jx_complain(errors, "/overlap", "must be skip, queue or cancel-old");
	if (strcmp(out->catch_up, "none") != 0 && strcmp(out->catch_up, "once") != 0)
		jx_complain(errors, "/catch_up", "must be none or once");
	return jx_ok(errors);
}
