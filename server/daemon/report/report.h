/* report.h - a job's results as other tools read them (docs/EXPORT.md). Pure: store/report.c reads the rows.
 *
 * A format is a row of report_formats and a file: it is told of the beginning, of each run with its results, and of the
 * end, and writes text. Texts of the structs are borrowed from whoever loaded them. */
#pragma once
#include "server/daemon/report/outcome.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define REPORT_EXCERPT_MAX 16384 /* bytes of evidence of one result */

struct report_build {
	int64_t id, created;
	const char *name, *arch, *description, *cmdline, *state;
	const char *release, *build_id, *compiler, *config_sha256; /* NULL: not known */
	const char *failure;                                       /* JSON text, or NULL */
	/* Its source: "" for no patches. */
	char patchset_hash[65];
	const char *tree, *commit;                          /* NULL: not known */
	const char *series, *revision, *title, *message_id; /* NULL: of no series */
};

struct report_run {
	int64_t id, column, attempt, planned, created, started, ended; /* times 0: not yet */
	const struct report_build *build;
	const char *cache, *kind, *state;
	const char *board;      /* NULL: not yet on one */
	const char *fault;      /* the last fault's code, or NULL */
	const char *cache_line; /* what its kernel said of the caches, or NULL */
	bool proves;            /* a pass there says something about coherency */
};

struct report_result {
	int64_t id, test_id, rep, trials, bad, masked, duration_us, time;
	const char *test, *cell; /* cell "": the test's own result */
	const char *kind, *verdict;
	const char *reason, *detail, *fault_class; /* NULL: none */
	const char *known;                         /* why it is known to fail, or NULL */
	const char *excerpt;                       /* records of evidence, a line each, or NULL */
	bool warned;                               /* the kernel complained while the test ran */
	bool measured;                             /* value and unit are there */
	double value;
	const char *unit;
	enum outcome outcome; /* report_judge() sets it */
};

/* A row of the suite's `known`, for one class. */
struct report_known {
	const char *test, *cells, *cache, *why;
};

struct report_job {
	int64_t id, created, ended;
	const char *name, *suite, *state;
	const struct report_run *runs; /* by cache class, kind, column, id */
	size_t runs_count;
	const struct report_build *builds;
	size_t builds_count;
	const struct report_known *known;
	size_t known_count;
};

/* How the results are wanted. */
struct report_options {
	const char *origin; /* KCIDB's: [a-z0-9_]+ */
	const char *base;   /* address of the server, "https://farm.example", or NULL */
	bool cells;
};

/* Results of one run: in the order of the plan, a test before its cells. */
struct report_results {
	struct report_result *list;
	size_t count;
};

/* Find out which failures are known, and give each result its outcome. To be called before a format sees them. */
void report_judge(const struct report_job *job, const struct report_run *run,
                  struct report_results *results);

struct report_writer {
	FILE *out;
	const struct report_job *job;
	struct report_options options;
	void *state; /* the format's own, from begin() until end() */
};

struct report_format {
	const char *name, *type; /* "ktap", "text/plain; charset=utf-8" */
	void (*begin)(struct report_writer *w);
	void (*run)(struct report_writer *w, const struct report_run *run,
	            const struct report_results *results);
	void (*end)(struct report_writer *w);
	void (*free)(void *state); /* of a writer that may not have come to its end */
};

extern const struct report_format report_ktap, report_junit, report_kcidb;

/* The format of that name, or NULL. */
const struct report_format *report_format_find(const char *name);

/* --- what formats share --- */

/* The i-th result's own test ends where the next one begins: index behind its cells. */
size_t report_test_end(const struct report_results *results, size_t i);

/* Does the run's block have all that was planned? */
bool report_run_whole(const struct report_run *run, const struct report_results *results);

/* Length of the ANSI sequence that begins with the ESC at text. */
size_t report_ansi(const char *text, size_t len);

/* What a reader needs to believe the result, in words without ANSI: reason, detail, evidence; at most REPORT_EXCERPT_MAX bytes. The caller
 * frees; "" for nothing. */
char *report_excerpt(const struct report_result *r);

/* Why, in a few words: the reason, else the detail's first line, else "". In buf, UTF-8. */
const char *report_reason(const struct report_result *r, char *buf, size_t room);
