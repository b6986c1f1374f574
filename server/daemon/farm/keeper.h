/* keeper.h - a thread that brings the files which builders made into STATE/files: hundreds of MiB, copied and hashed, for which
 * no other board's journal waits. The farm's thread asks, and looks when it is kicked. */
#pragma once
#include <stdint.h>

struct err;
struct keep; /* opaque: files of one attempt that are being kept */
struct keeper;

/* kick(arg) is called on the keeper's thread when files of somebody are done. state_dir is borrowed. NULL with *err. */
struct keeper *keeper_open(const char *state_dir, void (*kick)(void *arg), void *arg,
                           struct err *err);
/* Everything that was asked is dropped by then. keeper may be NULL. */
void keeper_close(struct keeper *keeper);

/* Files of one attempt: begin, name each, start; then look until it is not busy, and drop. */
struct keep *keep_begin(struct keeper *keeper);
void keep_file(struct keep *keep, const char *from, const char *sha256, int64_t size);
void keep_start(struct keep *keep);

enum keep_state {
	KEEP_BUSY,
	KEEP_DONE,    /* all of them are there, synced */
	KEEP_REFUSED, /* one is not what it was said to be: *err */
	KEEP_FAILED,  /* the disk refused: *err */
};
enum keep_state keep_look(struct keep *keep, struct err *err);

/* Whatever its state is: what is under way goes on, and nobody hears of it. keep may be NULL. */
void keep_drop(struct keep *keep);
