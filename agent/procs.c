#include "agent/procs.h"

#include "common/scoped.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

bool procs_parse(const char *line, struct proc *proc)
{
	const char *close = strrchr(line, ')');
	int pid, parent, group;
	long long resident;

	*proc = (struct proc){0};
	/* Fields of proc(5): 1 pid, 2 (name), 3 state, 4 ppid, 5 pgrp ... 24 rss. */
	if (!close || sscanf(line, "%d", &pid) != 1 ||
	    sscanf(close,
	           ") %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u "
	           "%lld",
	           &proc->state, &parent, &group, &resident) != 4)
		return false;
	proc->pid = pid;
	proc->parent = parent;
	proc->group = group;
	proc->resident_pages = resident;
	return true;
}

static bool read_stat(const char *pid, struct proc *proc)
{
	char path[64], line[1024];
	SCOPED_FD fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return false;
	line[n] = '\0';
	return procs_parse(line, proc);
}

void procs_each(bool (*fn)(void *arg, const struct proc *proc), void *arg)
{
	SCOPED_DIR dir = opendir("/proc");
	struct dirent *entry;
	struct proc proc;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    read_stat(entry->d_name, &proc) && !fn(arg, &proc))
			return;
}
