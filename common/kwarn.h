/* kwarn.h - find what a kernel complains about in its log, line by line, from a console or /dev/kmsg.
 *
 * A complaint is a block: it begins with a line from a table ("Internal error: Oops", "INFO: task ... blocked")
 * and goes on until its end marker, or until the caller sees that the log went quiet and flushes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define KWARN_TEXT 8192 /* bytes of a block that are kept; the rest of it is dropped */

enum kwarn_kind {
	KWARN_NONE = 0,
	KWARN_OTHER,
	KWARN_WARNING,
	KWARN_OOM,
	KWARN_HUNG_TASK,
	KWARN_RCU_STALL,
	KWARN_BUG,
	KWARN_LOCKUP,
	KWARN_OOPS,
	KWARN_PANIC, /* the last is the worst: a block has the kind of its worst line */
};

/* "oops", "panic", "hung-task" ... as docs/WIRE.md has them; "none" for KWARN_NONE. */
const char *kwarn_name(enum kwarn_kind kind);

/* Did the kernel, or a part of it, die of this (oops, panic)? */
bool kwarn_fatal(enum kwarn_kind kind);

/* What this one line says; time stamps, level and anything else in front of a time stamp are ignored. */
enum kwarn_kind kwarn_of_line(const char *line);

/* One whole complaint: text has len bytes, lines ended by '\n', and a NUL behind. */
typedef void kwarn_fn(void *arg, enum kwarn_kind kind, const char *text, size_t len);

struct kwarn {
	kwarn_fn *fn;
	void *arg;
	enum kwarn_kind kind; /* KWARN_NONE: no block is open */
	bool stamped;   /* a line with a time stamp came: lines without one are not the kernel's */
	unsigned lines; /* of the open block */
	size_t len;
	char text[KWARN_TEXT + 1];
};

void kwarn_init(struct kwarn *k, kwarn_fn *fn, void *arg);

/* Feed one line without its newline. Calls fn when a block ended. Once a line had a time stamp, a line without
 * one (a program's, on a console) begins no block. */
void kwarn_line(struct kwarn *k, const char *line);

/* Is a block open? Then flush it when the log was quiet for a while (a fifth of a second does). */
bool kwarn_open(const struct kwarn *k);

/* End the open block, if any. */
void kwarn_flush(struct kwarn *k);
