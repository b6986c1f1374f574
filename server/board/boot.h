/* boot.h - the ways to get a build onto a board. One file and one row each: to add one, write boot_NAME.c, add its row to
 * boot.c and its name to common/boardfile.c, and say in docs/BOARDFILE.md what it needs. */
#pragma once
#include "common/boardfile.h"
#include "server/board/child.h"

#include <stdbool.h>

struct err;
struct request;

/* What a method has to work with, and what it answers. */
struct boot {
	const struct board_file *board;
	const struct request *request;
	struct child *child;
	int64_t limit_us;                                     /* until it must have done its part */
	void (*say)(void *arg, const char *text, size_t len); /* for run.log */
	void *arg;
	bool busy, failed; /* failed: detail says why */
	char said[256];    /* the last line of its command */
	char detail[512];
};

struct boot_method {
	enum board_boot id;
	bool starts; /* it starts the machine: nothing need be reachable before, and files may not outlive it */
	/* Begin; busy is set and falls from the loop. NULL: there is nothing to do. 0, or -1 with *err. */
	int (*begin)(struct boot *b, struct err *err);
};

const struct boot_method *boot_method_of(enum board_boot id);

extern const struct boot_method boot_none, boot_command;
