/* fusefile.h - a file whose file system is a process of this test: FUSE, with the server in the same memory map, so that a
 * switch between the two hides nothing. */
#pragma once
#include "ctx.h"

/* The server's side of the one file, shared with the test. Data pages are aligned and have fences. */
struct fusefile {
	uint8_t *served;   /* the page that every read of the file gets; the test stores into it */
	uint8_t *received; /* the page that the last write to the file brought */
	int file;          /* the file, opened; through the page cache */
	int direct;        /* opened once more: reads and writes go to the caller's pages */
};

#define FUSEFILE_BYTES (UINT64_C(1) << 20)

/* Mount it in a mount namespace of our own and start the server. It ends with this process.
 * Returns 0; 1 when this kernel or user cannot, with *reason saying why; or -1 after ctx_error(). */
int fusefile_open(struct ctx *ctx, struct fusefile *fuse, enum reason *reason);
