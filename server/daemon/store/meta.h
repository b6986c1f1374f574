/* meta.h - the table meta: single values of the whole store. */
#pragma once
#include <stdint.h>

struct db;
struct err;

/* *value is kept when there is none. 0, or -1 with *err. */
int meta_int(struct db *db, const char *key, int64_t *value, struct err *err);
int meta_int_set(struct db *db, const char *key, int64_t value, struct err *err);

/* The text of key, which is made on first use: 16 random hex digits. out has room for 17 bytes. */
int meta_random(struct db *db, const char *key, char out[17], struct err *err);
