/* prepare.h - make a board ready for a run: the agent and the suite are on it, verified, and its facts are known.
 *
 * Files go to ROOT/files/SHA256: first under a temporary name, synced and verified on the board, then renamed. What was
 * found there is remembered for the session, so that a warm run asks nothing at all. A session never outlives the kernel it
 * talks to: behind a crash each file is hashed again before the next leg, and one that the crash cut is sent again. */
#pragma once
#include "common/err.h"
#include "server/board/remote.h"
#include "server/board/request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PREPARE_KNOWN 256 /* hashes remembered: more than one run needs */

enum prepare_result { PREPARE_BUSY, PREPARE_READY, PREPARE_FAILED };

struct prepare {
	struct remote *remote; /* borrowed, as root is */
	const char *root;
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total);
	void *arg;

	unsigned step;
	struct remote_op *op;
	uint64_t session;              /* what is known, is known of this session */
	char known[PREPARE_KNOWN][65]; /* files that are on the board */
	size_t known_count;
	json_t *facts; /* owned: of this session, or NULL */
	bool sweep;    /* other runs' legs are still to be ended and removed */

	const struct request *request; /* borrowed, while busy */
	size_t file;                   /* the one that is sent */
	bool sent[REQUEST_ALL_FILES], resent;
	bool plain; /* verify with sha256sum: the agent that was sent does not run */
	char *out;  /* owned: what the command printed */
	size_t out_len;
	int status;
	char complaint[1025];
	struct err err;    /* of the op; kind ERR_NONE: none */
	const char *fault; /* PREPARE_FAILED: code of docs/WIRE.md; err says why */
};

void prepare_init(struct prepare *p, struct remote *remote, const char *root);
void prepare_release(struct prepare *p);

/* Go on with making the board ready for r; called until it is not busy. In a session in which all is known it is ready at
 * once. */
enum prepare_result prepare_step(struct prepare *p, const struct request *r);

/* The session is gone or about to go (gone: its ops, too); or the board proved to be other than remembered. */
void prepare_forget(struct prepare *p, bool session_gone);

/* "ROOT/files/SHA256" of the agent. The caller frees. */
char *prepare_agent(const struct prepare *p, const struct request *r);
