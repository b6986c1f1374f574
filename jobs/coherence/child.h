/* child.h - helper processes of a test. */
#pragma once
#include "ctx.h"

#include <sys/types.h>

/* Memory that a child shares with the test; zeroed. Never freed: it ends with the test.
 * Returns NULL after ctx_error(). */
void *child_memory(struct ctx *ctx, size_t bytes);

/* fork() by the bare system call: nothing of libc runs in between that could evict lines or
 * write pages. The child must not return into code that uses stdio, and ends by child_exit(). */
pid_t child_fork(void);

_Noreturn void child_exit(int status);

/* Wait for pid. Returns 0 when it ended with status 0, else -1 after ctx_error(). */
int child_wait(struct ctx *ctx, pid_t pid);

/* Run work(argument) in a child and wait for it; it returns its exit status. */
int child_run(struct ctx *ctx, int (*work)(void *argument), void *argument);
