/* follow.h - the journal of one attempt, read from the offset that the store has (docs/WIRE.md, section 6).
 *
 * cohort-board is less trusted than cohortd: each line is checked against the plan before it may touch the
 * store. What was read is pending until follow_commit(); follow_discard() forgets it, to be read again. */
#pragma once
#include "common/err.h"
#include "server/daemon/store/attempts.h"

#include <stdbool.h>
#include <stddef.h>

struct db;

enum entry_kind {
	ENTRY_OTHER, /* nothing for the store */
	ENTRY_STAGE,
	ENTRY_PROGRESS,
	ENTRY_PROVED,
	ENTRY_RECONNECTED,
	ENTRY_STARTED,
	ENTRY_RECORD,
	ENTRY_FINISHED,
	ENTRY_WARNING,
	ENTRY_NOTE,
	ENTRY_FILE, /* a builder's file is in the attempt's directory */
	ENTRY_ENDED,
};

struct entry {
	enum entry_kind kind;
	json_t *event;      /* owned */
	const json_t *test; /* of the plan, when the entry has an id */
	int64_t t;
};

struct follow {
	struct attempt_ref ref; /* ref.offset: in the store */
	char *path;             /* owned */
	int fd;                 /* -1: not there yet */
	int64_t n;              /* of the last line in the store */
	bool *finished;         /* owned: one a planned test, in the plan's order */
	size_t tests;
	int64_t evidence; /* rows it has made: bounded */
	uint64_t unknown; /* events that nobody knows */
	bool complained;  /* of a program's record, once an attempt */

	struct entry *entries; /* pending */
	size_t count, room;
	int64_t next_offset, next_n;
	bool more;         /* there is more to read behind the pending ones */
	bool ended;        /* the last pending one is `ended` */
	struct err broken; /* kind other than ERR_NONE: the journal cannot be believed */
};

#define FOLLOW_ROUND (256 * 1024) /* bytes that one reading takes at most */

/* Take over ref (from store_attempt_ref()); db to learn what is in the store already. A journal that is there is
 * counted up to ref.offset. Problems of the journal are in f->broken; -1 with *err when the store failed. */
int follow_open(struct follow *f, struct attempt_ref *ref, const char *dir, struct db *db,
                struct err *err);
void follow_release(struct follow *f);

/* Read whole lines behind the offset into entries; buf has FOLLOW_ROUND bytes. True when anything is pending. */
bool follow_read(struct follow *f, char *buf);

void follow_commit(struct follow *f);
void follow_discard(struct follow *f);
