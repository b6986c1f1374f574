/* compare.h - what changed between builds, for each cache class and kind of board. Pure.
 *
 * Runs are grouped by (cache class, kind), which never meet in one verdict. In a group, a row is a test, or a test's
 * cell; a column is a build, base first. A column's results for a row are tallied, the tally has a state, and
 * the states of the first and the last column give the row's change. docs/COMPARE.md has the rules in words. */
#pragma once
#include "common/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum compare_test_kind { COMPARE_CONTRACT, COMPARE_GAP, COMPARE_INFO }; /* strictest first */

struct compare_result {
	int64_t id;       /* 0: not in the store (planned, and not there) */
	int64_t test_id;  /* in the plan: gives the order of rows */
	const char *test; /* test and cell are interned: equal texts have equal addresses */
	const char *cell; /* "": the test's own result */
	enum compare_test_kind kind;
	enum verdict verdict;
	bool pending; /* planned, and its run has not ended */
	bool warned;  /* the kernel complained while this test ran */
};

struct compare_run {
	size_t column;
	const char *cache, *kind, *board;
	bool open, broken; /* not ended; ended without being done (failed, cancelled) */
	size_t faults,
		warnings; /* attempts that the farm broke; kernel warnings, also between tests */
	const struct compare_result
		*results; /* of its last attempt; each planned test has one of its own */
	size_t results_count;
};

/* What is known to fail: these cells of this test on this cache class, and why. */
struct compare_known {
	const char *test, *cells, *cache; /* cells: a pattern (plan/glob.h) */
	const char *why;
};

enum compare_state {
	STATE_ABSENT, /* not planned here */
	STATE_UNKNOWN, /* planned, and no verdict, or not enough: missing, error, inconclusive, not run yet */
	STATE_SKIP,
	STATE_CLEAN,
	STATE_BAD,      /* each trial failed */
	STATE_MIXED,    /* some did */
	STATE_CONFLICT, /* each trial failed on one board and passed on another */
};

enum compare_change {
	CHANGE_REGRESSED,
	CHANGE_FIXED_THEN_LOST,
	CHANGE_CONFLICT,
	CHANGE_FLAKY,
	CHANGE_STILL_FAILING,
	CHANGE_FIXED,
	CHANGE_NO_VERDICT,
	CHANGE_NEW,
	CHANGE_GONE,
	CHANGE_EXPECTED_GAP,
	CHANGE_KNOWN_FAILING,
	CHANGE_SKIPPED,
	CHANGE_STILL_PASSING,
	CHANGE_COUNT,
};

/* The results of one row in one column. */
struct compare_tally {
	size_t pass, fail, skip, other, missing, pending; /* other: error, inconclusive */
	size_t warned;                                    /* of pass: with a kernel warning */
	size_t known; /* of fail: known ones; of a test's own: when all its failing cells are known */
	size_t boards_clean, boards_bad, boards_mixed;
	int64_t telling; /* the result to look at: the first of the worst; 0: none */
	unsigned worst;
	enum compare_state state;
};

struct compare_row {
	const char *test, *cell;
	enum compare_test_kind kind;
	int64_t order;               /* lowest test_id */
	const char *known;           /* why it is known to fail here; NULL: it is not */
	bool gap_cells;              /* a test's own row: it has cells that are no contract */
	struct compare_tally *tally; /* one a column */
	enum compare_change change;
	double p; /* of first and last having one rate of bad trials (Fisher); NAN: one has no trial */
};

enum compare_verdict {
	COLUMN_PASS,
	COLUMN_FAIL,
	COLUMN_NO_VERDICT,
	COLUMN_INCOMPLETE,
	COLUMN_RUNNING
};

struct compare_column {
	enum compare_verdict state;
	size_t runs, broken, open;
	size_t pass, fail, skip, other,
		missing;                      /* the tests' own results; fail: of contract tests */
	size_t known_fail;                    /* of contract tests; not in fail */
	size_t contract_pass, contract_other; /* of pass and other: of contract tests */
	size_t cell_fail; /* failed results of contract cells that are not known */
	size_t gap_fail;  /* failures where the kernel promises nothing */
	size_t faults, warnings;
};

struct compare_class {
	const char *cache, *kind;
	struct compare_row *rows; /* owned; in the order of the plan, a test before its cells */
	size_t rows_count;
	struct compare_tally *tallies;  /* owned; rows have slices of it */
	struct compare_column *columns; /* owned */
};

struct comparison {
	struct compare_class *classes; /* owned; by class and kind */
	size_t classes_count, columns;
};

struct compare_input {
	const struct compare_run *runs;
	size_t runs_count, columns;
	const struct compare_known *known;
	size_t known_count;
};

/* Compare runs; the comparison borrows all texts. The caller frees it. */
struct comparison *compare_make(const struct compare_input *input);
void compare_free(struct comparison *comparison);

/* The rules by themselves. */
enum compare_state compare_state_of(const struct compare_tally *tally);
enum compare_change compare_change_of(const struct compare_tally *first,
                                      const struct compare_tally *last,
                                      enum compare_test_kind kind);
/* Of all columns of a row: as the first against the last, unless one between them was fixed and the last lost it. */
enum compare_change compare_change_of_row(const struct compare_tally *tally, size_t columns,
                                          enum compare_test_kind kind);

/* Trials that passed or failed, and those of them that were bad: a pass with a kernel warning is. */
size_t compare_told(const struct compare_tally *tally);
size_t compare_bad(const struct compare_tally *tally);

/* What the numbers of the first and the last column prove, as a sentence: NULL when it goes without saying. The caller frees it. */
char *compare_proof(const struct compare_row *row, size_t columns);

enum compare_verdict compare_verdict_of(const struct compare_column *column);

/* Words of docs/API.md. */
const char *compare_state_name(enum compare_state state);
const char *compare_change_name(enum compare_change change);
const char *compare_verdict_name(enum compare_verdict verdict);
const char *compare_kind_name(enum compare_test_kind kind);
enum compare_test_kind compare_kind_parse(const char *name); /* what is no such name is contract */
