/* remote.h - the trials of tests in which the kernel reads and writes a process's memory for somebody else.
 *
 * A test brings the two calls; the trials are the same for all: the test's own memory, and a child's. The child has the
 * page at the same address as the test, but its own copy of it, and looks at it when it is told to. */
#pragma once
#include "trial.h"

/* Whose memory. */
struct remote {
	pid_t pid;
	int mem; /* its /proc/PID/mem */
};

/* Copy length bytes of remote's memory at va into buffer, or buffer to there. Return 0, or -1 after ctx_error(). */
struct remote_ops {
	int (*read)(struct ctx *ctx, const struct remote *remote, void *va, void *buffer,
	            size_t length);
	int (*write)(struct ctx *ctx, const struct remote *remote, void *va, const void *buffer,
	             size_t length);
};

/* The variants, in this order. */
enum {
	REMOTE_READ,       /* our own page, of which the user has the newest words */
	REMOTE_WRITE,      /* all of it is written */
	REMOTE_WORDS,      /* single words, next to words that the user has dirty */
	REMOTE_CHILD_READ, /* the same three of a child's page */
	REMOTE_CHILD_WRITE,
	REMOTE_CHILD_WORDS,
	REMOTE_VARIANTS,
};

#define REMOTE_STORES (1U << USER_ABSENT | 1U << USER_DIRTY)

/* Their rows; write_kind is that of the variants that write. */
/* clang-format off */
#define REMOTE_ROWS(write_kind) \
	[REMOTE_READ] = {"read", KIND_CONTRACT, REMOTE_STORES, KERNEL_ALL, DELTA_ALL}, \
	[REMOTE_WRITE] = {"write", write_kind, USER_ALL, KERNEL_ALL, DELTA_ALL}, \
	[REMOTE_WORDS] = {"words", write_kind, USER_ALL, KERNEL_ALL, DELTA_ALL}, \
	[REMOTE_CHILD_READ] = {"child,read", KIND_CONTRACT, REMOTE_STORES, KERNEL_ALL, 0}, \
	[REMOTE_CHILD_WRITE] = {"child,write", write_kind, USER_ALL, KERNEL_ALL, 0}, \
	[REMOTE_CHILD_WORDS] = {"child,words", write_kind, USER_ALL, KERNEL_ALL, 0}
/* clang-format on */

/* Run all of them. Returns 0, or -1 when the test cannot go on. */
int remote_run(struct ctx *ctx, const struct remote_ops *ops);
