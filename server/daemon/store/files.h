/* files.h - the table file: which contents are whole in STATE/files. */
#pragma once
#include <stdint.h>

struct db;
struct err;

/* The size of the file, or -1 with *err (ERR_NOTFOUND: it is not there). */
int64_t file_size(struct db *db, const char *sha256, struct err *err);

/* It is there now. Fine when it was. */
int file_put(struct db *db, const char *sha256, int64_t size, int64_t now_us, struct err *err);
