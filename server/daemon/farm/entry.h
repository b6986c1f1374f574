/* entry.h - one line of a board journal: is it what docs/WIRE.md allows here? */
#pragma once
#include "server/daemon/farm/follow.h"

/* The planned test with that id and its place in the plan, or NULL. */
const json_t *entry_test(const json_t *plan, int64_t id, size_t *place);

/* The event's id, or -1. */
int64_t entry_id(const json_t *event);

/* Check e->event, which is to have the number n, and fill the rest of *e; marks a finished test in *f. 0, or -1 with
 * f->broken. */
int entry_check(struct follow *f, struct entry *e, int64_t n);

/* A program's record of the type `cell` as a result; texts are borrowed. False when it is none. */
bool entry_cell(const struct entry *e, struct attempt_result *out);

/* A `test-finished` as a result. */
void entry_result(const struct entry *e, struct attempt_result *out);

/* A copy of text (NULL stays NULL) of at most cap bytes, cut between characters. The caller frees. */
char *entry_cut(const char *text, size_t cap);
