/* night.h - a farm's nights in simulated time: the real schedules, digest, webhooks and couriers on a real store; around
 * them a clock that is set, a cohortd that is down, jobs that take long, a mail server and a receiver that fail. */
#pragma once
#include "server/daemon/report/courier.h"
#include "server/daemon/report/digest.h"
#include "server/daemon/report/hooks.h"
#include "server/daemon/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

#define JOBS_MAX    20000
#define OUT_MAX     60000 /* deliveries */
#define SPANS_MAX   4000
#define PENDING_MAX 512
#define NIGHT_PLANS 4
#define EDITS_MAX   64

/* What may happen at a time. */
enum night_kind {
	NIGHT_DOWN,
	NIGHT_UP,
	NIGHT_CLOCK,
	NIGHT_MAIL,
	NIGHT_HOOK,
	NIGHT_BOARD,
	NIGHT_EDIT,
	NIGHT_JOB
};

struct night_event {
	int64_t at; /* true time */
	enum night_kind kind;
	int64_t value; /* clock: how far off; mail, hook: works; board: is there; job: its id; edit: of which plan */
};

struct night_job {
	int64_t start, end; /* true time; end 0: open */
	bool results;
};

struct night_span {
	int64_t from, to; /* true time, when something was wrong */
};

/* What a schedule was from then on. */
struct night_epoch {
	int64_t from;
	struct nightly_plan plan;
};

struct night {
	uint64_t seed, random;
	const char *dir;
	struct store *store;
	struct suites *suites;
	int64_t now;    /* true time */
	int64_t offset; /* the clock shows now + offset */
	int64_t begin, end;
	bool down, died; /* died: cohortd fell over in the middle of something */
	bool mail_works, hook_works;

	struct digest_config digest;
	const struct zone *zone;
	json_t *to; /* owned */
	struct hooks hooks;
	struct carrier mail, hook;
	struct courier_step mails, posts;
	_Atomic bool stop;

	struct night_event pending[PENDING_MAX];
	size_t pending_count;
	struct night_job jobs[JOBS_MAX]; /* by id */
	int64_t last_job;
	struct night_epoch epochs[NIGHT_PLANS][EDITS_MAX];
	size_t epochs_count[NIGHT_PLANS];
	struct night_span spans[SPANS_MAX];
	size_t spans_count;
	unsigned char accepted[OUT_MAX], doubted[OUT_MAX]; /* by delivery */
	size_t steps, deaths, sets, edits, mails_taken, posts_taken;
};

struct night_schedule {
	const char *name, *cron, *zone, *overlap, *catch_up;
	int64_t window_s;
	bool report;
};
extern const struct night_schedule night_schedules[NIGHT_PLANS];

/* night.c */
uint64_t night_random(struct night *n, uint64_t below);
bool night_chance(struct night *n, unsigned per_thousand);
int64_t night_clock(void);
void night_die(const struct night *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* night_world.c: the store's content, and who takes deliveries */
void night_open(struct night *n);
void night_reopen(struct night *n);
void night_close(struct night *n);
void night_board(struct night *n, bool there);
void night_edit(struct night *n, int plan); /* it is another schedule from now on */
void night_jobs_look(struct night *n, void (*started)(struct night *n, int64_t job));
void night_job_end(struct night *n, int64_t job);
void night_carriers(struct night *n);

/* night_check.c: what must be true at the end */
void night_check(struct night *n);
