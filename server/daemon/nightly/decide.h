/* decide.h - what becomes of the instants of a schedule: pure, times are wall microseconds. docs/NIGHTLY.md has the
 * table that this is. */
#pragma once
#include "server/daemon/nightly/cron.h"

#define NIGHTLY_LATE      (90 * 60 * INT64_C(1000000)) /* later than that is missed */
#define NIGHTLY_COUNT_MAX 10000                        /* counting missed instants stops there */

enum nightly_overlap { OVERLAP_SKIP, OVERLAP_QUEUE, OVERLAP_CANCEL_OLD };

struct nightly_plan {
	struct cron cron;
	const struct zone *zone;
	int64_t seen;   /* all instants up to here are decided */
	int64_t window; /* us; 0: no end */
	enum nightly_overlap overlap;
	bool catch_up;
};

enum nightly_verdict {
	NIGHTLY_NOTHING,
	NIGHTLY_SUBMIT,
	NIGHTLY_CANCEL_AND_SUBMIT,
	NIGHTLY_WAIT,
	NIGHTLY_SKIP_MISSED, /* too late, and there is no catching up */
	NIGHTLY_SKIP_WINDOW,
	NIGHTLY_SKIP_OPEN, /* the job before has not ended */
};

struct nightly_decision {
	enum nightly_verdict verdict;
	int64_t instant; /* the newest; of NIGHTLY_NOTHING: none */
	int64_t before; /* the one before it in (seen, now]: up to there they are missed; INT64_MIN: none */
};

/* Decide the instants in (seen, now]. open: a job of the schedule has not ended. */
struct nightly_decision nightly_decide(const struct nightly_plan *plan, int64_t now, bool open);

/* What becomes of an instant that waits. NIGHTLY_WAIT: it goes on waiting. */
enum nightly_verdict nightly_waited(const struct nightly_plan *plan, int64_t instant, int64_t now,
                                    bool open);

/* The instants in (from, until]: how many, the first and the last. */
struct nightly_some {
	size_t count;
	int64_t first, last;
};
struct nightly_some nightly_between(const struct nightly_plan *plan, int64_t from, int64_t until);

/* The next instant behind at; INT64_MAX: none. */
int64_t nightly_next(const struct nightly_plan *plan, int64_t at);

/* Words of docs/NIGHTLY.md. */
const char *nightly_overlap_name(enum nightly_overlap overlap);
bool nightly_overlap_parse(const char *name, enum nightly_overlap *overlap);
