/* overlay.h - a mounted overlay file system, whose files are really those of another one. */
#pragma once
#include "ctx.h"

/* Mount one over memory, in a mount namespace of our own: it goes with the process, and nobody else sees it.
 * Returns 0; 1 with the reason when this kernel or user cannot; or -1 after ctx_error(). */
int overlay_mount(struct ctx *ctx, enum reason *reason);

/* A file on it, empty, copied up from the lower layer; opened for reading and writing. Returns a descriptor the caller
 * owns, or -1 after ctx_error(). */
int overlay_file(struct ctx *ctx);
