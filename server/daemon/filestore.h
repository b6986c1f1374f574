/* filestore.h - contents that cohortd itself brings into STATE/files: what the farm's configuration names, and what
 * a builder made. Uploads have upload.h. The row of the table file (store/files.h) is the caller's, behind it. */
#pragma once
#include "common/sha256.h"

#include <stdint.h>

struct err;

/* Copy the file at from, which is to hold size bytes with that SHA-256; what is there is left alone. A copy, because
 * whoever wrote from may still have it open. 0, or -1 with *err: ERR_INVALID when it is something else, ERR_NOTFOUND. */
int filestore_copy(const char *state_dir, const char *from, const char *sha256, int64_t size,
                   struct err *err);

/* The same for text in memory. */
int filestore_text(const char *state_dir, const char *text, const char *sha256, struct err *err);
