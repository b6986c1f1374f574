/* journal.h - an append-only file of JSON objects, one a line (docs/WIRE.md).
 *
 * One process writes a journal. A line is one write(2), so a reader that takes whole lines only sees an
 * event or does not. Readers keep the offset behind the last whole line they took, and read on from there. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct journal; /* opaque: made by journal_open(), ended by journal_close() */

#define JOURNAL_LINE_MAX 65536 /* bytes of a line with its newline */

/* Open path for appending, creating it with mode 0640. A torn last line, left by a crash in a write, is cut
 * off. Returns a journal the caller owns, or NULL with *err (ERR_IO). */
struct journal *journal_open(const char *path, struct err *err);

/* Append event as one line. A line of more than JOURNAL_LINE_MAX bytes is refused (ERR_TOOBIG); after any
 * failure the file ends behind the last whole line. Returns 0, or -1 with *err. */
int journal_append(struct journal *j, const json_t *event, struct err *err);

/* The same for a text that is one JSON object already; len does not count a newline and there is none in it. */
int journal_append_text(struct journal *j, const char *text, size_t len, struct err *err);

/* Bring what was appended to disk. Returns 0, or -1 with *err. */
int journal_sync(struct journal *j, struct err *err);

/* Bytes in the file: the offset behind the last line. */
uint64_t journal_size(const struct journal *j);

/* The file's descriptor, borrowed; never inherited by a child that execs. */
int journal_fd(const struct journal *j);

void journal_close(struct journal *j); /* j may be NULL */
