/* compare.h - what changed between builds, for each cache class and kind of board. Pure.
 *
 * Results come as lanes: what one column's runs on one board say together (lane.h). Lanes are grouped by (cache class,
 * kind), which never meet in one verdict. In a group, a row is a test, or a test's cell; a column is a build: base
 * first, then the revisions, then the negative controls. The results of a row in a column are a tally, the tally has a
 * state, and the states of base and of a revision give the revision's change. Changes, costs and controls together give its
 * verdict (judge.h). docs/COMPARE.md has the rules in words. */
#pragma once
#include "server/daemon/compare/cost.h"
#include "server/daemon/compare/judge.h"
#include "server/daemon/compare/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A column's lane of one class, kind and board, and the runs that are in it. */
struct compare_lane {
	size_t column;
	const char *cache, *kind, *board; /* board "": no run had one yet */
	size_t runs, open,
		broken; /* open: not ended; broken: ended without being done (failed, cancelled) */
	size_t faults,
		warnings; /* attempts that the farm broke; kernel warnings, also between tests */
	const char *build_failed; /* why there is no kernel to run; NULL: there is one */
	const struct lane *lane;
};

/* What is known to fail: cells of a test on a cache class, and why. Patterns: plan/glob.h. */
struct compare_known {
	const char *test, *cells, *cache,
		*board;         /* test, cells and board are patterns; board NULL: any */
	const char *why, *link; /* link may be NULL */
	int64_t issue;          /* id of a known issue; 0: the suite says so */
};

enum compare_role { ROLE_BASE, ROLE_REVISION, ROLE_CONTROL };

/* A negative control must fail these tests on that class. */
struct compare_expect {
	const char *cache, *test;
};

/* What a column is. Base is the first, controls are the last. */
struct compare_spec {
	const char *label;
	enum compare_role role;
	const struct compare_expect *expects; /* of a control */
	size_t expects_count;
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

/* The worst first. */
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
	enum compare_change change; /* against base; of a revision */
	double p; /* of base and this having one rate of bad trials (Fisher); NAN: one has no trial */
};

struct compare_row {
	const char *test, *cell;
	enum compare_test_kind kind;
	int64_t order;                     /* lowest test_id */
	const struct compare_known *known; /* what explains failures of it; NULL: nothing does */
	bool gap_cells;                    /* a test's own row: it has cells that are no contract */
	bool has_cells;                    /* a test's own row */
	struct compare_tally *tally;       /* one a column */
};

enum compare_verdict {
	COLUMN_PASS,
	COLUMN_FAIL,
	COLUMN_NO_VERDICT,
	COLUMN_INCOMPLETE,
	COLUMN_RUNNING,
	COLUMN_NOT_SENSITIVE, /* would be pass, but a control passes where it must fail; a control that does */
	COLUMN_SENSITIVE, /* a control that fails where it must */
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
	size_t undecided; /* rows that more trials of base or of this would decide */
	const char *build_failed;
	enum judgement verdict; /* of a revision; JUDGED_NOT of base and controls */
	char *why;              /* owned: one sentence; NULL with JUDGED_NOT */
	struct cost_summary cost;
};

/* What a control says about a test that it must fail. */
enum compare_seen { SEEN_FAILING, SEEN_PASSING, SEEN_NOTHING };

struct compare_control {
	size_t column;
	const char *test;
	enum compare_seen seen;
	int64_t telling;
};

struct compare_class {
	const char *cache, *kind;
	struct compare_row *rows; /* owned; in the order of the plan, a test before its cells */
	size_t rows_count;
	struct compare_tally *tallies;    /* owned; rows have slices of it */
	struct compare_column *columns;   /* owned */
	struct cost_table costs;          /* owned */
	struct compare_control *controls; /* owned: one a test that a control must fail here */
	size_t controls_count;
	enum judge_sense sense;
};

struct comparison {
	struct compare_class *classes; /* owned; by class and kind */
	size_t classes_count, columns;
	size_t revisions; /* columns 1 ... revisions are revisions, those behind them controls */
};

struct compare_input {
	const struct compare_lane *lanes;
	size_t lanes_count, columns;
	const struct compare_spec
		*specs; /* one a column; NULL: base and revisions without labels */
	const struct compare_known *known;
	size_t known_count;
};

/* Compare; the comparison borrows all texts. The caller frees it. */
struct comparison *compare_make(const struct compare_input *input);
void compare_free(struct comparison *comparison);

/* The column whose change is a row's class: the last revision, or base when there is none. */
size_t compare_last(const struct comparison *comparison);

/* The rules by themselves. */
enum compare_state compare_state_of(const struct compare_tally *tally);
enum compare_change compare_change_of(const struct compare_tally *first,
                                      const struct compare_tally *last,
                                      enum compare_test_kind kind);
/* Of a row's columns up to last: as base against it, unless one between them was fixed and the last lost it. */
enum compare_change compare_change_of_row(const struct compare_tally *tally, size_t last,
                                          enum compare_test_kind kind);

/* How many more clean trials of the one side decide between these two, of which one is clean and one fails now and then;
 * 0: they are decided, or no number of trials does it. */
size_t compare_trials_needed(const struct compare_tally *first, const struct compare_tally *last);

/* Trials that passed or failed, and those of them that were bad: a pass with a kernel warning is. */
size_t compare_told(const struct compare_tally *tally);
size_t compare_bad(const struct compare_tally *tally);

/* What the numbers of base and of that column prove, as a sentence: NULL when it goes without saying. The caller frees
 * it. */
char *compare_proof(const struct compare_row *row, size_t column);

enum compare_verdict compare_verdict_of(const struct compare_column *column);

/* What a pass on boards of this kind and class is worth: NULL when it proves coherency, else why it does not. */
const char *compare_note(const char *cache, const char *kind);

/* Words of docs/API.md. */
const char *compare_state_name(enum compare_state state);
char compare_state_letter(enum compare_state state);
const char *compare_change_name(enum compare_change change);
const char *compare_verdict_name(enum compare_verdict verdict);
const char *compare_seen_name(enum compare_seen seen);
const char *compare_kind_name(enum compare_test_kind kind);
enum compare_test_kind compare_kind_parse(const char *name); /* what is no such name is contract */
