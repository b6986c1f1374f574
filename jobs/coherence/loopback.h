/* loopback.h - the network interface that ends in this machine. */
#pragma once
#include "ctx.h"

/* Bring lo up where it is down; the ledger puts it down again. Returns 0; 1 when this kernel or user cannot, with
 * *reason saying why; or -1 after ctx_error(). */
int loopback_up(struct ctx *ctx, enum reason *reason);

/* Connect two TCP sockets over lo; what goes into ends[1] comes out of ends[0], and reading waits 2 seconds at most.
 * Returns as loopback_up() does. */
int loopback_pair(struct ctx *ctx, int ends[2], enum reason *reason);

/* Put lo down. Returns 0, or -1 with errno. For the ledger. */
int loopback_down(void);
