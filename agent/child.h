/* child.h - one test program as a process group: start it, end it, leave nothing of it behind.
 * The caller has made itself the subreaper, so what escapes from the group becomes its child. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct child_spec {
	json_t *argv;       /* strings; [0] is a path, or looked up in PATH */
	const char *cwd;    /* absolute; also the program's TMPDIR */
	const char *name;   /* COHORT_TEST */
	const char *root;   /* COHORT_ROOT */
	const char *device; /* COHORT_DEVICE; NULL: without */
	int64_t make_jobs;  /* COHORT_MAKE_JOBS; 0: without */
	int64_t bench_ms;   /* COHORT_BENCH_MS; 0: without */
	int64_t iterations; /* COHORT_ITERATIONS; 0: without */
	int64_t run, id;    /* COHORT_RUN, COHORT_TEST_ID */
	int64_t memory_mib; /* what the program may use; a process is refused far more than that */
};

struct child {
	pid_t pid;    /* also the group's; 0: none, or reaped */
	int out, err; /* owned, non-blocking; -1: closed */
};

/* Start the program. Returns 0, or -1 with *err when it could not even be executed; then nothing is left. */
int child_start(struct child *child, const struct child_spec *spec, struct err *err);

/* Send a signal to the whole group. */
void child_signal(const struct child *child, int sig);

/* Kill what is left of the group and every descendant that left it, and reap them. Returns false when some
 * process would not die within two seconds (it hangs in the kernel). The streams stay open. */
bool child_sweep(pid_t group);

/* Resident memory in KiB of the group's processes together, read from /proc. */
int64_t child_resident_kib(pid_t group);

void child_close(struct child *child);
