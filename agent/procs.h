/* procs.h - look at /proc for the processes that a test left. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	pid_t pid, parent, group;
	int64_t resident_pages;
	char state; /* 'Z' is dead and waits to be reaped */
};

/* Call fn for each process there is; it returns false to stop. */
void procs_each(bool (*fn)(void *arg, const struct proc *proc), void *arg);

/* Read one line of /proc/PID/stat. The program's name in it may hold anything, ")" and spaces too. */
bool procs_parse(const char *line, struct proc *proc);

/* Kill each process whose environment has setting as the beginning of a variable ("TMPDIR=/x/"), until none is left or
 * two seconds passed. */
void procs_kill_by_env(const char *setting);
