#include "agent/procs.h"

#include "common/fsio.h"
#include "common/scoped.h"
#include "common/timeus.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The number behind fields blanks, counted from p. */
static bool field(const char *p, unsigned fields, int64_t *out)
{
	for (; fields > 0; fields--) {
		p = strchr(p, ' ');
		if (!p)
			return false;
		p++;
	}
	*out = strtoll(p, NULL, 10);
	return (*p >= '0' && *p <= '9') || *p == '-';
}

bool procs_parse(const char *line, struct proc *proc)
{
	/* Fields of proc(5): 1 pid, 2 (name), 3 state, 4 ppid, 5 pgrp ... 24 rss. */
	const char *close = strrchr(line, ')');
	int64_t pid, parent, group, resident;

	*proc = (struct proc){0};
	if (!close || close[1] != ' ' || close[2] == '\0' || !field(line, 0, &pid) ||
	    !field(close, 2, &parent) || !field(close, 3, &group) || !field(close, 22, &resident))
		return false;
	*proc = (struct proc){
		.pid = (pid_t)pid,
		.parent = (pid_t)parent,
		.group = (pid_t)group,
		.resident_pages = resident,
		.state = close[2],
	};
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

struct hunt {
	const char *setting;
	bool found;
};

static bool has_setting(pid_t pid, const char *setting)
{
	char path[64];
	size_t len = 0, size = strlen(setting);
	SCOPED_STR env = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%ld/environ", (long)pid);
	env = fs_read_file(path, 1 << 20, &len, NULL);
	for (const char *p = env; p && p < env + len; p += strlen(p) + 1)
		if (strncmp(p, setting, size) == 0)
			return true;
	return false;
}

static bool kill_match(void *arg, const struct proc *proc)
{
	struct hunt *hunt = arg;

	if (proc->state == 'Z' || !has_setting(proc->pid, hunt->setting))
		return true;
	hunt->found = true;
	(void)kill(proc->pid, SIGKILL);
	return true;
}

void procs_kill_by_env(const char *setting)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	const int64_t end = time_mono_us() + 2000000;
	struct hunt hunt = {.setting = setting};

	do {
		hunt.found = false;
		procs_each(kill_match, &hunt);
	} while (hunt.found && time_mono_us() < end && nanosleep(&pause, NULL) == 0);
}
