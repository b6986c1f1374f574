/* follow.h - one leg's journal as it comes over the session: the command that runs, and lines behind offsets. */
#pragma once
#include "common/err.h"
#include "common/lines.h"
#include "server/board/remote.h"

#include <stdbool.h>
#include <stdint.h>

struct follow {
	struct remote *remote; /* borrowed */
	struct remote_op *op;  /* the command, while it runs */
	struct lines lines;
	uint64_t off;   /* behind the last whole line that was handed on */
	uint64_t got;   /* bytes of the journal received, the beginning of a line included */
	uint64_t total; /* bytes received in all commands of this run */
	bool greeting;  /* the answer of `run` is still to come */
	char answer[4096];
	size_t answered;
	lines_fn *line; /* the caller's, with its arg */
	void *arg;
	bool ended; /* the command did, since it was begun: status, err and complaint say how */
	int status;
	struct err err; /* kind ERR_NONE: none */
	char complaint[1025];
};

void follow_init(struct follow *f, struct remote *remote, lines_fn *line, void *arg);
void follow_release(struct follow *f);

/* Run command, which prints an answer line and then the journal from its start; input goes to its stdin. */
void follow_run(struct follow *f, const char *command, const char *input, size_t len);

/* Run command, which prints the journal from f->off. */
void follow_from(struct follow *f, const char *command);

/* A new leg: its journal begins at 0. Ends a command that runs. */
void follow_reset(struct follow *f, uint64_t off);

/* Let go of the command without a word; for a session that is closed on purpose, too. */
void follow_drop(struct follow *f, bool session_gone);
