/* events.h - reading the table event. Writing is db_event() in store.h. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;

/* Up to limit events behind id after, oldest first, of a job and a run (0: of all), as docs/API.md has them: id, time, kind,
 * job, run, board and the members of their data. Returns an array that the caller owns, or NULL with *err. */
json_t *events_after(struct db *db, int64_t job, int64_t run, int64_t after, int64_t limit,
                     struct err *err);
