/* memcg.h - a memory cgroup for the test's own process, to press its pages out. */
#pragma once
#include <stddef.h>

struct ctx;

/* Make a cgroup (the ledger has it first) and move this process into it: memory that it touches from
 * now on can be reclaimed by memcg_reclaim(). No mount is visible anywhere.
 * Returns 0, or -1 with errno: ENODEV when there is no memory controller for us. */
int memcg_enter(struct ctx *ctx);

/* Ask the kernel to reclaim so many bytes of the cgroup.
 * Returns 0 also when it got fewer, or -1 with errno: ENOENT when this kernel is too old (5.19). */
int memcg_reclaim(size_t bytes);

/* Remove the cgroup name; wait until the processes in it have ended. Returns 0 when it is gone. */
int memcg_remove(const char *name);

/* Remove every cgroup for whose name wanted() is true. Returns how many. */
unsigned int memcg_remove_matching(int (*wanted)(const char *name, void *context), void *context);
