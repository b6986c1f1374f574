/* outbox.h - what is to be told to somebody and was not yet: ended jobs behind a cursor, and instants that no digest has. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;

/* Events of jobs that ended, behind id after, oldest first, at most limit: [{"event","job","time"}]. *last is how far the
 * log was read. The caller owns it; NULL with *err. */
json_t *outbox_ended(struct db *db, int64_t after, int64_t limit, int64_t *last, struct err *err);

/* Of schedules with a report: {"jobs": [{"row","schedule","job"}], "skipped": [{"row",
 * "schedule","instant","count","why"}]} that are in no digest, oldest first. */
json_t *outbox_digest(struct db *db, struct err *err);

/* Nobody needs to be told of what is there now: mail begins. */
int outbox_begin(struct db *db, struct err *err);

/* The row is told by the mail with that message_id. */
int outbox_told(struct db *db, int64_t row, const char *message_id, struct err *err);
