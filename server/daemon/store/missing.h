/* missing.h - the results that a run owes: a planned test without one gets the verdict `missing`. */
#pragma once
#include <stdint.h>

struct db;
struct err;

/* Give each test of run's plan that has no result in attempt one with verdict `missing`; its reason is the code of
 * the run's fault, if any. Doing it twice does no harm. 0, or -1 with *err. */
int store_missing_fill(struct db *db, int64_t run, int64_t attempt, int64_t now, struct err *err);
