/* export.h - a job's results as other tools read them (docs/EXPORT.md). Pure: store/exports.c reads the rows.
 *
 * A format is a row of export_formats and a file: it is told of the beginning, of each run with its results, and of the
 * end, and writes text. Texts of the structs are borrowed from whoever loaded them. */
#pragma once
#include "server/daemon/compare/compare.h"
#include "server/daemon/export/outcome.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT_EXCERPT_MAX 16384 /* bytes of evidence of one result */

struct export_build {
	int64_t id, created;
	const char *name, *arch, *description, *cmdline, *state;
	const char *release, *build_id, *compiler, *config_sha256; /* NULL: not known */
	const char *failure;                                       /* JSON text, or NULL */
	/* Its source: "" for no patches. */
	char patchset_hash[65];
	const char *tree, *commit;                          /* NULL: not known */
	const char *series, *revision, *title, *message_id; /* NULL: of no series */
};

struct export_run {
	int64_t id, column, attempt, planned, created, started, ended; /* times 0: not yet */
	const struct export_build *build;
	const char *cache, *kind, *state;
	const char *board;      /* NULL: not yet on one */
	const char *fault;      /* the last fault's code, or NULL */
	const char *cache_line; /* what its kernel said of the caches, or NULL */
	bool proves;            /* a pass there says something about coherency */
};

struct export_result {
	int64_t id, test_id, rep, trials, bad, masked, duration_us, time;
	const char *test, *cell; /* cell "": the test's own result */
	const char *kind, *verdict;
	const char *reason, *detail, *fault_class; /* NULL: none */
	const struct compare_known *known;         /* what explains its failure, or NULL */
	const char *excerpt;                       /* records of evidence, a line each, or NULL */
	bool warned;                               /* the kernel complained while the test ran */
	bool measured;                             /* value and unit are there */
	double value;
	const char *unit;
	enum outcome outcome; /* export_judge() sets it */
};

struct export_job {
	int64_t id, created, ended;
	const char *name, *suite, *state;
	const struct export_run *runs; /* by cache class, kind, column, id */
	size_t runs_count;
	const struct export_build *builds;
	size_t builds_count;
	const struct compare_known *known; /* what is known to fail */
	size_t known_count;
	const char *const *celled; /* sorted: tests that have a cell in any run */
	size_t celled_count;
};

/* How the results are wanted. */
struct export_options {
	const char *origin; /* KCIDB's: [a-z0-9_]+ */
	const char *base;   /* address of the server, "https://farm.example", or NULL */
	bool cells;
};

/* Results of one run: in the order of the plan, a test before its cells. */
struct export_results {
	struct export_result *list;
	size_t count;
};

/* Find out which failures are known, and give each result its outcome. To be called before a format sees them. */
void export_judge(const struct export_job *job, const struct export_run *run,
                  struct export_results *results);

struct export_writer {
	FILE *out;
	const struct export_job *job;
	struct export_options options;
	void *state; /* the format's own, from begin() until end() */
};

struct export_format {
	const char *name, *type; /* "ktap", "text/plain; charset=utf-8" */
	void (*begin)(struct export_writer *w);
	void (*run)(struct export_writer *w, const struct export_run *run,
	            const struct export_results *results);
	void (*end)(struct export_writer *w);
	void (*free)(void *state); /* of a writer that may not have come to its end */
};

extern const struct export_format export_ktap, export_junit, export_kcidb;

/* The format of that name, or NULL. */
const struct export_format *export_format_find(const char *name);

/* --- what formats share --- */

/* The i-th result's own test ends where the next one begins: index behind its cells. */
size_t export_test_end(const struct export_results *results, size_t i);

/* Does the run's block have all that was planned? */
bool export_run_whole(const struct export_run *run, const struct export_results *results);

/* Length of the ANSI sequence that begins with the ESC at text. */
size_t export_ansi(const char *text, size_t len);

/* What a reader needs to believe the result, in words without ANSI: reason, detail, evidence; at most EXPORT_EXCERPT_MAX bytes. The caller
 * frees; "" for nothing. */
char *export_excerpt(const struct export_result *r);

/* Why, in a few words: the reason, else the detail's first line, else "". In buf, UTF-8. */
const char *export_reason(const struct export_result *r, char *buf, size_t room);
