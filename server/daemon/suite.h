/* suite.h - the test suites that a job may name, from the JSON files of one directory (docs/JOBS.md).
 * Read once at start and not changed after: no lock. */
#pragma once
#include "common/sha256.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct suites; /* opaque */

struct suite_test {
	const char *name, *description, *kind; /* kind: contract | gap | info */
	int64_t time_limit_s;
	json_t *argv;            /* array of strings; argv[0] may be a program's name */
	const char *output;      /* what it prints: "records" (docs/WIRE.md, section 1) or "ktap" */
	json_t *classes, *cells; /* arrays of strings, may be empty */
};

/* Cells of a test that are known to fail on these cache classes, and why: data of the suite, not of a test. */
struct suite_known {
	const char *test, *why;
	json_t *cells, *caches; /* arrays of strings: patterns (plan/glob.h); class names */
};

struct suite_program {
	const char *name, *arch; /* "coherence", "armel" */
	const char *path;
	char sha256[SHA256_HEX];
	uint64_t size;
};

struct suite {
	const char *name, *version, *description;
	struct suite_test *tests;
	size_t tests_count;
	struct suite_known *known;
	size_t known_count;
	struct suite_program *programs;
	size_t programs_count;
};

/* Load each *.json of dir; a bad file is an error that names file and field. NULL with *err. */
struct suites *suites_load(const char *dir, struct err *err);
void suites_free(struct suites *suites);

const struct suite *suite_find(const struct suites *suites, const char *name);

/* Is it contract, gap or info? */
bool suite_kind_valid(const char *kind);

/* The i-th suite by name, NULL behind the last. */
const struct suite *suite_at(const struct suites *suites, size_t i);
