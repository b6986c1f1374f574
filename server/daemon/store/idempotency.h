/* idempotency.h - the table idempotency: replies to POSTs that had an Idempotency-Key, kept for a day. */
#pragma once
#include <stdint.h>

struct db;
struct err;

#define IDEMPOTENCY_US (24 * 3600 * INT64_C(1000000))

enum idempotency_found { IDEMPOTENCY_NEW, IDEMPOTENCY_SAME, IDEMPOTENCY_OTHER, IDEMPOTENCY_ERROR };

/* Was this key used in the last day? SAME: for the same request; *status and *body (the caller frees) are its reply.
 * OTHER: for another one. ERROR: *err. */
enum idempotency_found idempotency_find(struct db *db, const char *key, const char *request_sha256,
                                        int64_t now_us, int *status, char **body, struct err *err);

/* Keep the reply, in the transaction of what it tells about. */
int idempotency_put(struct db *db, const char *key, const char *request_sha256, int status,
                    const char *body, int64_t now_us, struct err *err);

/* Forget what is older than a day. */
int idempotency_purge(struct db *db, int64_t now_us, struct err *err);
