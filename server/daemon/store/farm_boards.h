/* farm_boards.h - the columns of the table board that the farm keeps: what it saw. What people and files say is
 * boards.h. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;

struct farm_board_row {
	int64_t id, updated;
	const char *name, *arch, *origin, *document,
		*path; /* path may be NULL; valid during the call */
	bool disabled;
};

/* The id and time of the last change of each board; fn returns 0 to go on. */
typedef int store_board_stamp_fn(void *arg, int64_t id, int64_t updated);
int store_board_stamps(struct db *db, store_board_stamp_fn *fn, void *arg, struct err *err);

typedef int store_board_fn(void *arg, const struct farm_board_row *row);
int store_board_read(struct db *db, int64_t id, store_board_fn *fn, void *arg, struct err *err);

struct board_seen {
	const char *name, *state, *detail;
	const json_t *facts; /* NULL: as before */
	bool seen;           /* it answered just now */
};

/* Write what was seen; watchers are told when state or detail changed. `updated` stays: it is for what people change. */
int store_board_seen(struct db *db, const struct board_seen *seen, int64_t now, struct err *err);
