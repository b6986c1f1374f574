/* console.h - a board's serial console: always open, opened again when it goes away, cut into lines.
 *
 * It only listens. Each line goes to the owner, and what the kernel complains about is found in them. */
#pragma once
#include "common/kwarn.h"
#include "common/lines.h"
#include "server/board/child.h"
#include "server/board/loop.h"

#include <stdbool.h>

struct board_file;

struct console_events {
	void (*line)(void *arg, const char *text, size_t len);
	kwarn_fn *complaint;
	/* The connection came (true) or went (false). */
	void (*state)(void *arg, bool open, const char *why);
	void *arg;
};

struct console {
	struct loop *loop;
	const struct board_file *board;
	struct console_events events;
	struct loop_watch watch; /* the socket */
	struct child child;      /* or the command */
	struct loop_timer again, quiet;
	int64_t backoff_us;
	bool open;
	struct lines lines;
	struct kwarn kwarn;
	char cache_line[256]; /* the last line about caches; "": none since console_forget() */
	uint64_t boots;       /* "Booting Linux" lines seen */
};

/* Open the board's console, if it has one; from now on events come from the loop. */
void console_start(struct console *c, struct loop *loop, const struct board_file *board,
                   const struct console_events *events);

/* The machine is about to boot: what the old kernel said about caches no longer counts. */
void console_forget(struct console *c);

/* An open complaint counts as whole now. */
void console_flush(struct console *c);

void console_stop(struct console *c);
