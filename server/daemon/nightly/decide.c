#include "server/daemon/nightly/decide.h"

#include "server/daemon/nightly/civil.h"

#include <string.h>

#define SECOND INT64_C(1000000)

static const char *const overlaps[] = {"skip", "queue", "cancel-old"};

const char *nightly_overlap_name(enum nightly_overlap overlap)
{
	return overlaps[overlap];
}

bool nightly_overlap_parse(const char *name, enum nightly_overlap *overlap)
{
	for (int i = 0; i < 3; i++) {
		if (strcmp(overlaps[i], name) != 0)
			continue;
		*overlap = (enum nightly_overlap)i;
		return true;
	}
	return false;
}

int64_t nightly_next(const struct nightly_plan *plan, int64_t at)
{
	int64_t next = cron_next(&plan->cron, plan->zone, floor_div(at, SECOND));

	return next == INT64_MAX ? next : next * SECOND;
}

static bool window_over(const struct nightly_plan *plan, int64_t instant, int64_t now)
{
	return plan->window > 0 && now >= instant + plan->window;
}

static enum nightly_verdict overlapping(enum nightly_overlap overlap)
{
	static const enum nightly_verdict verdicts[] = {
		[OVERLAP_SKIP] = NIGHTLY_SKIP_OPEN,
		[OVERLAP_QUEUE] = NIGHTLY_WAIT,
		[OVERLAP_CANCEL_OLD] = NIGHTLY_CANCEL_AND_SUBMIT,
	};

	return verdicts[overlap];
}

static enum nightly_verdict newest(const struct nightly_plan *plan, int64_t instant, int64_t now,
                                   bool open)
{
	if (now - instant > NIGHTLY_LATE && !plan->catch_up)
		return NIGHTLY_SKIP_MISSED;
	if (window_over(plan, instant, now))
		return NIGHTLY_SKIP_WINDOW;
	return open ? overlapping(plan->overlap) : NIGHTLY_SUBMIT;
}

struct nightly_decision nightly_decide(const struct nightly_plan *plan, int64_t now, bool open)
{
	struct nightly_decision d = {.verdict = NIGHTLY_NOTHING, .before = INT64_MIN};
	int64_t seen = floor_div(plan->seen, SECOND), last, before;

	if (now <= plan->seen)
		return d;
	last = cron_last(&plan->cron, plan->zone, seen, floor_div(now, SECOND));
	if (last == INT64_MIN)
		return d;
	d.instant = last * SECOND;
	d.verdict = newest(plan, d.instant, now, open);
	before = cron_last(&plan->cron, plan->zone, seen, last - 1);
	if (before != INT64_MIN)
		d.before = before * SECOND;
	return d;
}

struct nightly_some nightly_between(const struct nightly_plan *plan, int64_t from, int64_t until)
{
	int64_t after = floor_div(from, SECOND), end = floor_div(until, SECOND);
	int64_t last = after < end ? cron_last(&plan->cron, plan->zone, after, end) : INT64_MIN;

	if (last == INT64_MIN)
		return (struct nightly_some){0};
	return (struct nightly_some){
		.count = cron_count(&plan->cron, plan->zone, after, last, NIGHTLY_COUNT_MAX),
		.first = cron_next(&plan->cron, plan->zone, after) * SECOND,
		.last = last * SECOND,
	};
}

enum nightly_verdict nightly_waited(const struct nightly_plan *plan, int64_t instant, int64_t now,
                                    bool open)
{
	if (window_over(plan, instant, now))
		return NIGHTLY_SKIP_WINDOW;
	return open ? NIGHTLY_WAIT : NIGHTLY_SUBMIT;
}
