/* night_sim [-s SEED] [-d DAYS] - a year of nights with random faults, in seconds. */
#include "tests/sim/night.h"

#include "common/err.h"
#include "common/logline.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/civil.h"
#include "server/daemon/nightly/step.h"
#include "server/daemon/nightly/zone.h"
#include "server/daemon/report/outbox.h"
#include "server/daemon/report/page.h"
#include "server/daemon/store/world.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CALM_DAYS 7 /* at the end, so that all that waits can go out */

static struct night night;

const struct night_schedule night_schedules[NIGHT_PLANS] = {
	{"berlin", "30 2 * * *", "Europe/Berlin", "skip", "none", 0, true},
	{"new-york", "30 1 * * *", "America/New_York", "queue", "once", 10 * 3600, true},
	{"lord-howe", "15 2 * * *", "Australia/Lord_Howe", "cancel-old", "once", 0, true},
	{"often", "*/20 1-3 * * sat,sun", "Europe/Berlin", "skip", "none", 0, false},
};

/* ---- Chance, time, the end ---- */

uint64_t night_random(struct night *n, uint64_t below)
{
	/* splitmix64 */
	uint64_t z = n->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

bool night_chance(struct night *n, unsigned per_thousand)
{
	return night_random(n, 1000) < per_thousand;
}

static int64_t between(struct night *n, int64_t least, int64_t most)
{
	return least + (int64_t)night_random(n, (uint64_t)(most - least));
}

int64_t night_clock(void)
{
	return night.now + night.offset;
}

void night_die(const struct night *n, const char *fmt, ...)
{
	char when[32];
	va_list args;

	time_format(n->now, when);
	(void)fprintf(stderr, "night_sim -s %" PRIu64 ": at %s: ", n->seed, when);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fprintf(stderr, "\n");
	exit(1);
}

/* ---- What is to come ---- */

static void at(struct night *n, int64_t time, enum night_kind kind, int64_t value)
{
	if (n->pending_count == PENDING_MAX)
		night_die(n, "too much is pending");
	n->pending[n->pending_count++] = (struct night_event){time, kind, value};
}

static void disturbed(struct night *n, int64_t from, int64_t to)
{
	if (n->spans_count == SPANS_MAX)
		night_die(n, "too many disturbances");
	n->spans[n->spans_count++] = (struct night_span){from, to};
}

/* A fault from from on, for so long: its event and the one that ends it. */
static void fault(struct night *n, enum night_kind kind, int64_t from, int64_t length, int64_t bad,
                  int64_t good)
{
	at(n, from, kind, bad);
	at(n, from + length, kind == NIGHT_DOWN ? NIGHT_UP : kind, good);
}

/* What goes wrong in the 24 hours from noon. */
static void faults_of_a_day(struct night *n, int64_t noon)
{
	int64_t from = noon + between(n, 0, DAY), length;

	if (night_chance(n, 250)) {
		length = night_chance(n, 200) ? between(n, HOUR, 30 * HOUR)
		                              : between(n, MINUTE, HOUR);
		fault(n, NIGHT_DOWN, from, length, 0, 0);
		disturbed(n, from, from + length);
	}
	from = noon + between(n, 0, DAY);
	if (night_chance(n, 150)) {
		static const int64_t offsets[] = {HOUR,     -HOUR,     HOUR,      -HOUR,
		                                  30 * DAY, -30 * DAY, 5 * MINUTE};

		length = between(n, MINUTE, 20 * HOUR);
		fault(n, NIGHT_CLOCK, from, length, offsets[night_random(n, 7)], 0);
		disturbed(n, from, from + length);
	}
	if (night_chance(n, 100))
		fault(n, NIGHT_MAIL, noon + between(n, 0, DAY), between(n, MINUTE, 26 * HOUR), 0,
		      1);
	if (night_chance(n, 100))
		fault(n, NIGHT_HOOK, noon + between(n, 0, DAY), between(n, MINUTE, 26 * HOUR), 0,
		      1);
	if (night_chance(n, 50))
		at(n, noon + between(n, 0, DAY), NIGHT_EDIT, between(n, 0, NIGHT_PLANS));
	from = noon + between(n, 0, DAY);
	if (night_chance(n, 50)) {
		length = between(n, MINUTE, 10 * HOUR);
		fault(n, NIGHT_BOARD, from, length, 0, 1);
		disturbed(n, from, from + length);
	}
}

static void job_started(struct night *n, int64_t job)
{
	int64_t takes = night_chance(n, 30) ? between(n, 24 * HOUR, 40 * HOUR)
	                                    : between(n, 5 * MINUTE, 4 * HOUR);

	at(n, n->now + takes, NIGHT_JOB, job);
}

/* When cohortd is there again, and hears of what ended meanwhile. */
static int64_t up_again(const struct night *n)
{
	int64_t up = INT64_MAX;

	for (size_t i = 0; i < n->pending_count; i++)
		if (n->pending[i].kind == NIGHT_UP && n->pending[i].at < up)
			up = n->pending[i].at;
	return up;
}

/* Several faults of one kind may lie over each other: the state is that of the last event; a cohortd that is up already
 * stays up. */
static void happen(struct night *n, const struct night_event *e)
{
	switch (e->kind) {
	case NIGHT_DOWN:
		n->down = true;
		break;
	case NIGHT_UP:
		if (n->down)
			n->died = true; /* it starts anew */
		n->down = false;
		break;
	case NIGHT_CLOCK:
		n->sets++;
		n->offset = e->value;
		break;
	case NIGHT_MAIL:
		n->mail_works = e->value != 0;
		break;
	case NIGHT_HOOK:
		n->hook_works = e->value != 0;
		break;
	case NIGHT_BOARD:
		night_board(n, e->value != 0);
		break;
	case NIGHT_EDIT:
		/* Nobody can reach it, or knows what the time is. */
		if (!n->down && !n->died && n->offset == 0)
			night_edit(n, (int)e->value);
		break;
	case NIGHT_JOB:
		if (n->down)
			at(n, up_again(n) + SECOND, NIGHT_JOB, e->value);
		else
			night_job_end(n, e->value);
		break;
	}
}

/* ---- cohortd ---- */

static void deliver(struct night *n, const struct courier_step *step, int64_t *wake)
{
	int64_t due;
	struct err err;
	int rc;

	while (!n->died && (rc = courier_step(step, &due, &err)) != 0)
		if (rc < 0)
			night_die(n, "%s: %s", step->kind, err.text);
	if (!n->died && due != INT64_MAX && due - n->offset < *wake)
		*wake = due - n->offset > n->now ? due - n->offset : n->now + MINUTE;
}

/* Everything that the threads would do now. *wake: when they want to be there again, in true time. */
static void work(struct night *n, int64_t *wake)
{
	const struct world_config world = {.suites = n->suites};
	struct nightly_outlook outlook;
	int64_t due;
	bool made;
	struct err err;

	if (nightly_step(n->store, &world, night_clock(), &outlook, &err) < 0)
		night_die(n, "schedules: %s", err.text);
	night_jobs_look(n, job_started);
	if (outlook.due != INT64_MAX)
		*wake = outlook.due - n->offset;
	if (digest_step(n->store, &n->digest, night_clock(), &due, &made, &err) < 0 ||
	    outbox_step(n->store, &n->hooks, &n->digest.source, night_clock(), &made, &err) < 0)
		night_die(n, "the report: %s", err.text);
	if (due - n->offset < *wake)
		*wake = due - n->offset;
	deliver(n, &n->mails, wake);
	deliver(n, &n->posts, wake);
}

/* It fell over, or was down: a new process on the same disk. */
static void start_again(struct night *n)
{
	struct err err;

	n->deaths++;
	n->died = false;
	night_reopen(n);
	if (courier_recover(&n->mails, &err) < 0 || courier_recover(&n->posts, &err) < 0)
		night_die(n, "recovery: %s", err.text);
}

static size_t earliest(const struct night *n)
{
	size_t first = 0;

	for (size_t i = 1; i < n->pending_count; i++)
		if (n->pending[i].at < n->pending[first].at)
			first = i;
	return first;
}

static void run(struct night *n)
{
	int64_t noon = n->begin, wake = n->begin;

	while (n->now < n->end) {
		size_t first;

		for (; noon <= n->now && noon < n->end - CALM_DAYS * DAY - 2 * DAY; noon += DAY)
			faults_of_a_day(n, noon);
		first = earliest(n);
		n->steps++;
		if (n->pending_count > 0 && (n->down || n->pending[first].at <= wake)) {
			struct night_event e = n->pending[first];

			n->pending[first] = n->pending[--n->pending_count];
			n->now = e.at > n->now ? e.at : n->now;
			happen(n, &e);
		} else {
			n->now = wake > n->now ? wake : n->now;
		}
		wake = n->now + DAY / 2;
		if (n->down)
			continue;
		if (n->died)
			start_again(n);
		work(n, &wake);
		if (n->died) { /* a service manager takes a moment */
			wake = n->now + between(n, SECOND, 10 * MINUTE);
			disturbed(n, n->now, wake);
		}
	}
}

static int64_t argument(const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (*end || value < 0) {
		(void)fprintf(stderr, "night_sim: '%s': must be a number\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char *argv[])
{
	struct night *n = &night;
	int64_t days = 366;
	struct timespec began, ended;
	char dir[64] = "/dev/shm/cohort-night.XXXXXX";
	int opt;

	if (sodium_init() < 0)
		return 1;
	n->seed = randombytes_uniform(1U << 31);
	while ((opt = getopt(argc, argv, "s:d:")) != -1) {
		if (opt == 's')
			n->seed = (uint64_t)argument(optarg);
		else if (opt == 'd')
			days = argument(optarg);
		else
			return 2;
	}
	(void)printf("night_sim -s %" PRIu64 " -d %" PRId64 "\n", n->seed, days);
	(void)fflush(stdout);
	log_open("night_sim", LOG_LEVEL_ERROR);
	/* Memory, where there is such a directory: a year has some ten thousand commits. */
	if (access("/dev/shm", W_OK) != 0)
		(void)snprintf(dir, sizeof(dir), "/tmp/cohort-night.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	n->dir = dir;
	n->random = n->seed;
	n->begin = n->now = civil_days(2026, 2, 1) * DAY + 12 * HOUR;
	n->end = n->begin + (days + CALM_DAYS) * DAY;
	n->mail_works = n->hook_works = true;
	night_open(n);
	run(n);
	night_check(n);
	night_close(n);
	(void)clock_gettime(CLOCK_MONOTONIC, &ended);
	(void)printf("%zu steps, %zu restarts, %zu times the clock was set, %zu edits, %" PRId64
	             " jobs, %zu mails and %zu posts taken\n%" PRId64 " days, seed %" PRIu64
	             ": %.1f s\n",
	             n->steps, n->deaths, n->sets, n->edits, n->last_job, n->mails_taken,
	             n->posts_taken, days, n->seed,
	             (double)(ended.tv_sec - began.tv_sec) +
	                     (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
	return 0;
}
