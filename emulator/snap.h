/* snap.h - the state of a machine as bytes. Each module has one function, thing_snap(), that names its
 * state in order; it saves or loads according to the snap it is given, so the two cannot differ.
 * What is borrowed, made from options, or can be made from the rest is left out.
 *
 * Whoever changes what a thing_snap() names raises SNAP_VERSION. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct snap; /* opaque: snap_writer() or snap_open(), snap_free() */

#define SNAP_VERSION 3u

/* Nothing yet, to be filled. */
struct snap *snap_writer(void);

/* The file that snap_write() made. Returns NULL with *err naming it: not there, no snapshot, of another version, damaged. */
struct snap *snap_open(const char *path, struct err *err);

/* Replace path by what was saved, whole or not at all. 0, or -1 with *err. */
int snap_write(const struct snap *snap, const char *path, struct err *err);
void snap_free(struct snap *snap);

bool snap_loading(const struct snap *snap);

/* Save len bytes at at, or load them. Loading behind the end gives zeros and fails the snap. */
void snap_bytes(struct snap *snap, void *at, size_t len);
#define SNAP(snap, thing) snap_bytes(snap, &(thing), sizeof(thing))

/* The part that follows is called name: a load that is out of step fails here, and says so. */
void snap_part(struct snap *snap, const char *name);

/* While loading: a value that the module cannot have fails the snap. Returns ok. */
bool snap_need(struct snap *snap, bool ok);

/* All was loaded, and nothing is left: 0, or -1 with *err naming the part that failed. */
int snap_finish(struct snap *snap, struct err *err);
