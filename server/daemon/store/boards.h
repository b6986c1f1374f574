/* boards.h - the table board. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct board_file;
struct db;
struct err;

/* A board's state as people see it, of board b left joined with lease l: the lease and the person outrank what was seen. */
#define BOARD_STATE_SQL                                                                            \
	"CASE WHEN l.board IS NOT NULL THEN 'busy'"                                                \
	" WHEN b.disabled_reason IS NOT NULL THEN 'disabled' ELSE b.state END"

struct board_filter {
	const char *cache, *kind, *tag, *state; /* NULL: any */
};

/* Up to limit boards by name behind the name after, as docs/API.md has them. The caller owns the array; NULL with *err. */
json_t *boards_list(struct db *db, const struct board_filter *filter, const char *after,
                    int64_t limit, struct err *err);

/* One board. NULL with *err (ERR_NOTFOUND). */
json_t *board_get(struct db *db, const char *name, struct err *err);

/* A new board from the API. ERR_CONFLICT when the name is taken. */
int board_create(struct db *db, const struct board_file *file, int64_t now_us, struct err *err);

/* What a person may change. NULL members stay. */
struct board_change {
	json_t *tags;
	const char *description;
	bool set_disabled;
	const char *disabled; /* NULL: enable */
};
int board_update(struct db *db, const char *name, const struct board_change *change, int64_t now_us,
                 struct err *err);

/* The boards of a directory's files are these, in files[0 ... count). New ones are made; one whose file changed is as its
 * file now says; one whose file did not keeps what people changed; one whose file is gone is disabled, and comes back with it.
 * ERR_CONFLICT when a name was registered by the API. */
int boards_sync(struct db *db, struct board_file *const *files, const char *const *paths,
                size_t count, int64_t now_us, struct err *err);
