/* program.h - files that are executed. They have no name: they are opened and run through /proc/self/fd, so that
 * neither a writable root nor a path is needed. */
#pragma once
#include "ctx.h"

/* An open file once more, with other flags. Returns a close-on-exec descriptor that the caller owns, or -1 with errno.
 * The kernel executes no file that is open for writing, and lets none be opened for writing while it runs. */
int program_reopen(int fd, int flags);

#define PROGRAM_CRASHED 0xffffffffU /* it died of a signal: what ran was not the program */

/* Execute path in a child with these arguments and environment (each ends with NULL) and wait for its end; a program
 * that runs wild is killed after some seconds of processor time. *status is its exit status or PROGRAM_CRASHED.
 * Returns 0, or -1 after ctx_skip() (not allowed here) or ctx_error() (it met that limit, or could not be run). */
int program_run(struct ctx *ctx, const char *path, char *const *argv, char *const *envp,
                uint32_t *status);

/* A program made here: an ELF image whose exit status is the sum of one byte a piece, PROGRAM_PIECES pieces over
 * PROGRAM_PAGES pages of code. The byte is part of the instructions: when the image with byte b replaced the one with
 * b - 1, the status is wrong by the number of pieces whose old code ran. */
#define PROGRAM_PIECES 192U
#define PROGRAM_PAGES  3U
#define PROGRAM_BYTES  ((PROGRAM_PAGES + 1U) * PAGE_BYTES)

void program_image(uint8_t image[PROGRAM_BYTES], uint8_t byte);

/* What the image made with that byte returns. */
uint32_t program_status(uint8_t byte);
