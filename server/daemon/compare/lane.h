/* lane.h - what the runs of one column on one board say together. Pure.
 *
 * A comparison adds up results; a lane is results that are added up already: row by row, and of measured numbers
 * the samples. It can be written as text and read again, so that the store keeps what ended runs say as one row,
 * however many results they had (store/lanes.h). All texts are interned in one table (intern.h). */
#pragma once
#include "common/verdict.h"
#include "server/daemon/compare/rowmap.h"
#include "server/daemon/compare/samples.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct intern;

enum compare_test_kind { COMPARE_CONTRACT, COMPARE_GAP, COMPARE_INFO }; /* strictest first */

struct compare_result {
	int64_t id;       /* 0: not in the store (planned, and not there) */
	int64_t test_id;  /* in the plan: gives the order of rows */
	const char *test; /* interned, as cell */
	const char *cell; /* "": the test's own result */
	enum compare_test_kind kind;
	enum verdict verdict;
	bool pending; /* planned, and its run has not ended */
	bool warned;  /* the kernel complained while this test ran */
};

struct lane_entry {
	const char *test, *cell;
	int64_t order;                                    /* the lowest test_id */
	enum compare_test_kind kind;                      /* the strictest that was said */
	size_t pass, fail, skip, other, missing, pending; /* other: error, inconclusive */
	size_t warned;                                    /* of pass: with a kernel warning */
	unsigned worst;                                   /* rank of the result that tells most */
	int64_t telling;                                  /* the first such result; 0: none */
};

/* One measured number of a row. A group of samples is what one run brought. */
struct lane_value {
	const char *test, *cell, *name, *unit;
	struct samples samples; /* owned */
};

#define LANE_VALUES_MAX 1000

struct lane {
	struct lane_entry *entries; /* owned */
	size_t count, room;
	struct lane_value *values; /* owned */
	size_t values_count;
	struct rowmap map; /* entries by test and cell: index + 1 */
};

void lane_release(struct lane *lane);

void lane_add_result(struct lane *lane, const struct compare_result *result);

/* A run's samples of one number, for at most LANE_VALUES_MAX numbers a lane. Values that are not finite or not above 0 are left out, and what goes beyond SAMPLES_MAX
 * values, group by group: the first runs of a lane are as good as the last. */
void lane_add_value(struct lane *lane, const struct lane_value *value);

/* The lane as text without its texts' addresses; the caller frees. Pending results are not in it. */
char *lane_text(const struct lane *lane);

/* Add what text says. -1 with *err when it is no lane's text (ERR_INVALID). */
int lane_add_text(struct lane *lane, const char *text, struct intern *texts, struct err *err);
