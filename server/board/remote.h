/* remote.h - a board as its driver sees it: a session that is up or down, commands, files.
 *
 * This is the seam where tests put a board of their own; ssh.c is the real one. No function blocks. Callbacks come from
 * the loop, never from inside a call of these functions, and must not call them: they note what happened, and the
 * driver's next step acts on it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct remote;
struct remote_op; /* a command or a transfer under way */

enum remote_state { REMOTE_DOWN, REMOTE_CONNECTING, REMOTE_UP };

/* Whom the session tells. down: fault is a code of docs/WIRE.md; every op got its done() before. */
struct remote_events {
	void (*up)(void *arg);
	void (*down)(void *arg, const char *fault, const struct err *err);
	void *arg;
};

struct remote_exec {
	const char *command; /* for the board's shell; copied */
	const char *input;   /* its stdin, copied; may be NULL */
	size_t input_len;
	int64_t limit_us; /* the whole of it; 0: no limit */
	void (*out)(void *arg, const char *data, size_t len);
	/* status: exit code, 128 + n for a signal, -1 with *err. complaint: the head of stderr. */
	void (*done)(void *arg, int status, const char *complaint, const struct err *err);
	void *arg;
};

struct remote_put {
	const char *local; /* copied */
	const char *path;  /* on the board; truncated when it is there, mode 0755; copied */
	int64_t limit_us;  /* without any progress */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	/* NULL: all of it was taken, and is on the board's disk if its SFTP server can do that. */
	void (*done)(void *arg, const struct err *err);
	void *arg;
};

struct remote_get {
	const char *path; /* on the board; copied */
	uint64_t offset;  /* bytes from there on */
	int64_t limit_us; /* without any progress */
	void (*data)(void *arg, const char *data, size_t len);
	void (*done)(void *arg, const struct err *err); /* NULL: to the file's end */
	void *arg;
};

struct remote_class {
	void (*connect)(struct remote *r, int64_t banner_us); /* banner_us: until the banner */
	void (*disconnect)(struct remote *r);                 /* without a down event */
	struct remote_op *(*exec)(struct remote *r, const struct remote_exec *exec);
	struct remote_op *(*put)(struct remote *r, const struct remote_put *put);
	struct remote_op *(*get)(struct remote *r, const struct remote_get *get);
	void (*drop)(struct remote *r, struct remote_op *op); /* no callbacks from now on */
	void (*probe)(struct remote *r,
	              int64_t limit_us); /* something is fishy: down unless it speaks */
	void (*free)(struct remote *r);
};

struct remote {
	const struct remote_class *class;
	struct remote_events events;
	enum remote_state state;
	uint64_t
		session; /* counts sessions that came up: a session never outlives the kernel it talks to */
};
