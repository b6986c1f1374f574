/* deliveries.h - the table delivery: what goes out, and how far it is. */
#pragma once
#include "server/daemon/report/delivery.h"

#include <jansson.h>
#include <stddef.h>

struct db;
struct err;

struct delivery_new {
	const char *kind, *target, *subject, *message_id, *message;
	const char *refused; /* NULL: it is queued; else it has failed, and this says why */
};

/* Keep it. One with the same message_id is left alone: *made (may be NULL) says whether it is new. */
int deliveries_add(struct db *db, const struct delivery_new *delivery, int64_t now_us, bool *made,
                   struct err *err);

/* One that is to be tried. */
struct delivery {
	int64_t id;
	char *target, *subject, *message_id, *message; /* owned */
};
void delivery_release(struct delivery *delivery);

/* The oldest of kind that is due: 1, or 0 and *due says when the next is (INT64_MAX: none waits). -1 with *err. */
int deliveries_next(struct db *db, const char *kind, int64_t now_us, struct delivery *out,
                    int64_t *due, struct err *err);

/* Let event happen to it; detail (may be NULL: kept) is what the other side said. *applied (may be NULL) says whether
 * it did. */
int deliveries_apply(struct db *db, int64_t id, enum delivery_event event, const char *detail,
                     int64_t now_us, bool *applied, struct err *err);

/* At start: what was on its way is lost. */
int deliveries_recover(struct db *db, const char *kind, int64_t now_us, struct err *err);

/* How many of kind to target have not ended. */
int deliveries_waiting(struct db *db, const char *kind, const char *target, int64_t *count,
                       struct err *err);

/* Newest first, ids below before; kind, state: NULL for any. Without the messages. */
json_t *deliveries_list(struct db *db, const char *kind, const char *state, int64_t before,
                        int64_t limit, struct err *err);
