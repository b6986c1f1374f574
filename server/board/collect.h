/* collect.h - fetch the files of a build run from the builder into DIR/files (docs/SERIES.md).
 *
 * A file comes under a temporary name, is hashed while it comes, and gets its name, which is its SHA-256, once it is whole and on
 * disk. What a cut connection or a death of this process left of it is gone on with. Nothing here believes the board: no
 * more bytes are taken than were said, and a file is what its hash says or it is none. */
#pragma once
#include "common/err.h"
#include "server/board/remote.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

struct attempt_file;

enum collect_result { COLLECT_BUSY, COLLECT_HAVE, COLLECT_FAILED };

struct collect {
	struct remote *remote; /* borrowed */
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total);
	void *arg;

	const struct attempt_file *file; /* borrowed, while it is fetched */
	const char *what;                /* its role */
	char *name, *tmp;                /* owned: where it is to be, and where it is meanwhile */
	int fd;                          /* owned: tmp */
	struct remote_op *op;
	uint64_t have;     /* bytes in tmp, all of them hashed */
	uint64_t op_began; /* of them, those from before this transfer */
	bool resumed; /* some are from before: should the hash be wrong, it is tried from the start once */
	bool ended;          /* the transfer did */
	struct err op_err;   /* why; kind ERR_NONE: at the end of the file */
	struct err disk_err; /* of our own disk */
	crypto_hash_sha256_state hash;
	unsigned tries;
	struct err err; /* COLLECT_FAILED: why */
};

void collect_init(struct collect *c, struct remote *remote);
void collect_release(struct collect *c);

/* Go on fetching file, whose role is what, into directory dir; called until it is not busy. After COLLECT_HAVE it is there, synced
 * under its hash. */
enum collect_result collect_step(struct collect *c, const char *dir, const char *what,
                                 const struct attempt_file *file);

/* Let go of what is under way; gone: the session is, too. What came stays in the temporary file. */
void collect_forget(struct collect *c, bool session_gone);
