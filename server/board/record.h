/* record.h - the attempt directory: journal.ndjson, run.log, console.log (docs/WIRE.md, sections 5 and 6).
 * Opening it replays the journal, so that whoever opened it before may have died at any moment. */
#pragma once
#include "server/board/attempt.h"
#include "server/board/request.h"

#include <jansson.h>
#include <stdint.h>

struct caplog;
struct err;
struct journal;

#define CONSOLE_HEAD (1 << 20) /* console.log, and a board's own console log */
#define CONSOLE_TAIL (1 << 20)

struct record {
	char *dir; /* owned */
	struct request request;
	struct attempt attempt;
	struct journal *journal; /* owned, as the logs are */
	struct caplog *run_log, *console_log;
	uint64_t refused; /* lines from the board that were not taken */
};

/* Load dir/request.json, replay dir/journal.ndjson when it is there, open the logs. Returns a record that the caller
 * frees, or NULL with *err. */
struct record *record_open(const char *dir, struct err *err);

void record_close(struct record *r); /* r may be NULL */

/* Append event `name` with fields (taken over, may be NULL) at wall time now, and apply it. What the attempt refuses is
 * not written. Returns 0, or -1 with *err: ERR_PROTOCOL for a refused event, else the journal cannot be written. */
int record_put(struct record *r, int64_t now, const char *name, json_t *fields, struct err *err);

/* The last event is on disk when this returns 0. */
int record_sync(struct record *r, struct err *err);

uint64_t record_size(const struct record *r);

/* A line for people in run.log. A log that cannot be written stops nothing. */
void record_say(struct record *r, int64_t now, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A test's output in run.log: one line, or more with newlines between them. */
void record_output(struct record *r, int64_t now, const char *stream, const char *text);
