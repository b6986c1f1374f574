#include "child.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void *child_memory(struct ctx *ctx, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		(void)ctx_error(ctx, "shared memory");
		return NULL;
	}
	return memory;
}

pid_t child_fork(void)
{
#ifdef SYS_fork
	return (pid_t)syscall(SYS_fork);
#else
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

_Noreturn void child_exit(int status)
{
	for (;;)
		(void)syscall(SYS_exit_group, status);
}

int child_wait(struct ctx *ctx, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return ctx_error(ctx, "waiting for a child");
	}
	errno = 0;
	if (WIFSIGNALED(status))
		return ctx_error(ctx, "a child died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return ctx_error(ctx, "a child failed with status %d", WEXITSTATUS(status));
	return 0;
}

int child_run(struct ctx *ctx, int (*work)(void *argument), void *argument)
{
	pid_t pid = child_fork();

	if (pid < 0)
		return ctx_error(ctx, "fork");
	if (pid == 0)
		child_exit(work(argument));
	return child_wait(ctx, pid);
}
