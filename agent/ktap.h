/* ktap.h - results out of what a test program prints as KTAP, TAP 13/14, KUnit or kselftest's runner do (docs/WIRE.md,
 * section 1). Pure. Whatever comes, memory is bounded: KTAP_CELLS results of at most KTAP_PATH bytes, KTAP_DEPTH levels. */
#pragma once
#include "common/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KTAP_DEPTH  8
#define KTAP_CELLS  4096           /* results of one test; what is more is counted and left out */
#define KTAP_NAME   120            /* bytes of one level's name */
#define KTAP_PATH   256            /* bytes of a cell's whole name, "a/b/c" */
#define KTAP_TEXT   1024           /* bytes of a result's detail */
#define KTAP_DETAIL (512U * 1024U) /* bytes of details that are held at once */

struct ktap; /* opaque */

struct ktap_cell {
	const char *path; /* "suite/case", names that were there before with "#2" behind; UTF-8 */
	enum verdict verdict;
	bool expected;      /* a failure that was to be expected (XFAIL) */
	const char *reason; /* a skip's fixed word, "timeout", ...; "" for none */
	const char
		*detail; /* the directive's text and the diagnostics in front of it; "" for none */
};

/* What the whole output says. */
struct ktap_outcome {
	enum verdict verdict;
	bool results;     /* there was at least one */
	char reason[32];  /* "" for none */
	char skip[32];    /* the fixed word of the last skip at the top, or "" */
	char detail[640]; /* "" for none */
	int64_t trials, bad;
};

/* fn hears of a cell when the top-level result above it is in, at the latest in ktap_end(). */
typedef void ktap_cell_fn(void *arg, const struct ktap_cell *cell);
struct ktap *ktap_new(ktap_cell_fn *fn, void *arg);
void ktap_free(struct ktap *k); /* k may be NULL */

/* One line of len bytes without its newline; any bytes. */
void ktap_line(struct ktap *k, const char *line, size_t len);

/* The output has ended. To be called once. */
void ktap_end(struct ktap *k, struct ktap_outcome *outcome);
