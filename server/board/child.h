/* child.h - one command of the lab owner (power, boot, console): its process group, its output, its time limit. */
#pragma once
#include "common/lines.h"
#include "server/board/loop.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;

struct child_spec {
	char *const *argv; /* NULL at its end */
	const char *dir;   /* where it runs */
	const char *const
		*env;     /* "NAME=value" beside the environment, NULL at its end; may be NULL */
	int64_t limit_us; /* 0: none */
	void (*line)(void *arg, const char *text,
	             size_t len); /* of stdout and stderr; may be NULL */
	/* Instead of line: raw bytes; and its stdin stays open. */
	void (*data)(void *arg, const char *data, size_t len);
	void (*done)(void *arg, int status); /* exit code, 128 + signal, or -1: the time limit */
	void *arg;
};

struct child {
	struct loop *loop;
	struct child_spec spec;
	pid_t pid; /* 0: none */
	bool late, ended;
	int input; /* owned: its stdin's other end, or -1 */
	int status;
	struct loop_watch out, end;
	struct loop_timer limit;
	struct lines lines;
};

void child_init(struct child *c, struct loop *loop);

/* Start it. done is called once, from the loop, unless child_stop() comes before. Returns 0, or -1 with *err. */
int child_start(struct child *c, const struct child_spec *spec, struct err *err);

bool child_runs(const struct child *c);

/* Kill its process group, if it runs; no callbacks. */
void child_stop(struct child *c);

void child_release(struct child *c);
