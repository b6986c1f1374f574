/* document.h - a schedule as a person submits it (docs/NIGHTLY.md, "API"), read and checked by itself. Pure, but for the
 * zone that it looks for. */
#pragma once
#include <stdbool.h>

struct jx_errors;
struct json_t;
struct schedules_new;

/* Read doc into *out, which borrows from it, and complain about everything that is wrong. True when nothing was. What
 * is inside the job is not looked at. */
bool schedules_read(struct json_t *doc, struct schedules_new *out, struct jx_errors *errors);
