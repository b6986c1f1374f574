/* tokens.h - the table token: hashes of the API's tokens. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;

/* The token called name is now the one with this SHA-256. 0, or -1 with *err. */
int token_set(struct db *db, const char *name, const char *sha256, int64_t now_us, struct err *err);

/* All hashes, an array of hex strings that the caller owns, or NULL with *err. */
json_t *token_hashes(struct db *db, struct err *err);
