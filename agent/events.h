/* events.h - write the agent's journal (docs/WIRE.md, section 3).
 * The first failure is kept and ends all writing: whoever follows then sees a dead worker, not a gap. */
#pragma once
#include "common/err.h"
#include "common/journal.h"

#include <stdbool.h>

struct events {
	struct journal *journal; /* owned */
	int bell; /* owned: a byte goes out behind each line, for a follower; -1, as at first: nobody listens */
	bool failed;
	struct err err; /* why */
};

/* Returns 0, or -1 with ev->err. */
int events_open(struct events *ev, const char *path);
void events_close(struct events *ev);

/* Append {"ev": name, "t": now, fields...}; fields is taken over. */
void events_put(struct events *ev, const char *name, json_t *fields);

/* Append test-record with a program's line, which is one valid JSON object, as it is. */
void events_put_record(struct events *ev, int64_t id, const char *object, size_t len);

/* Bring everything to disk. */
void events_sync(struct events *ev);
