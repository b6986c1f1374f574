/* caplog.h - a log for people that cannot fill the disk: the head and the tail of it are kept.
 * One line each: the wall time and the text. Between head and tail stands a line that counts what was dropped. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct err;
struct caplog; /* opaque */

/* Open path for appending, with what an earlier process wrote to it. About head + 2 * tail bytes at most are used.
 * Returns a log the caller owns, or NULL with *err (ERR_IO). */
struct caplog *caplog_open(const char *path, size_t head, size_t tail, struct err *err);

/* Append one line of len bytes; what is no UTF-8 or no text is replaced. Returns 0, or -1 with *err. */
int caplog_line(struct caplog *log, int64_t wall_us, const char *text, size_t len, struct err *err);

/* Bytes dropped so far. */
uint64_t caplog_dropped(const struct caplog *log);

void caplog_close(struct caplog *log); /* log may be NULL */
