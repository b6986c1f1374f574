/* lowpages.h - pages at the low end of memory, which compaction will move up.
 *
 * Compaction takes what can move from the low end of memory to free frames at the high end. A page that
 * the kernel hands out when asked once may be at either. So memory is taken until it spans more than the
 * kernel's unit of compaction, the lowest pages of it are kept, locked in place, and the rest is given back. */
#pragma once
#include "trial.h"

/* Needs root: while the test runs, compaction leaves locked pages alone. Finds out with target, a page of
 * anonymous memory, what it takes to see a page move. Returns 0, or -1 after ctx_skip() or ctx_error(). */
int low_init(struct ctx *ctx, struct target *target);

/* Replace what is mapped at target->va by a low page of anonymous memory; sets pfn. */
int low_anon(struct ctx *ctx, struct target *target);

/* Map a low page of a file on tmpfs at target->va, shared; sets fd (the caller's), offset, pfn. */
int low_file(struct ctx *ctx, struct target *target, int prot);

/* Let the kernel compact all memory. Returns 0, or -1 after ctx_error(). */
int low_compact(struct ctx *ctx);
