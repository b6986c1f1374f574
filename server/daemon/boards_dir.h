/* boards_dir.h - the lab owner's directory of board files, brought into the store. */
#pragma once
#include <stdint.h>

struct err;
struct store;

/* Read each *.json of dir. One bad file, or two boards of one name, and nothing changes: *err (ERR_INVALID) names file and
 * field. store NULL: only check. Returns how many boards there are, or -1. */
int boards_dir_load(const char *dir, struct store *store, int64_t now_us, struct err *err);
