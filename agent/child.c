#include "agent/child.h"

#include "agent/procs.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define SWEEP_US (2 * 1000000)

struct pipes {
	int out[2], err[2], failed[2];
};

/* Resident memory is watched while the program runs. This bound is for one that eats faster than anyone looks, and lies so
 * far above the limit that who merely maps much, and uses little, does not meet it: ENOMEM there would look like a result
 * of the test. */
static void bound_memory(int64_t mib)
{
	rlim_t bytes = ((rlim_t)mib * 2 + 256) << 20;
	const struct rlimit data = {bytes, bytes}, core = {0, 0};

	(void)setrlimit(RLIMIT_DATA, &data);
	(void)setrlimit(RLIMIT_CORE, &core);
}

/* When memory runs out the kernel shall take a test, not the one who tells of it. */
static void prefer_for_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1000", 4);
	(void)close(fd);
}

static char **make_env(const struct child_spec *spec)
{
	const char *path = getenv("PATH");
	char **env = xcalloc(13, sizeof(*env));
	size_t n = 8;

	env[0] = xasprintf("PATH=%s", path && *path ? path
	                                            : "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
	                                              "/usr/bin:/sbin:/bin");
	env[1] = xasprintf("HOME=%s", spec->cwd);
	env[2] = xasprintf("TMPDIR=%s", spec->cwd);
	env[3] = xasprintf("COHORT_RUN=%" PRId64, spec->run);
	env[4] = xasprintf("COHORT_TEST=%s", spec->name);
	env[5] = xasprintf("COHORT_TEST_ID=%" PRId64, spec->id);
	env[6] = xstrdup("LC_ALL=C");
	env[7] = xasprintf("COHORT_ROOT=%s", spec->root);
	if (spec->device)
		env[n++] = xasprintf("COHORT_DEVICE=%s", spec->device);
	if (spec->make_jobs)
		env[n++] = xasprintf("COHORT_MAKE_JOBS=%" PRId64, spec->make_jobs);
	if (spec->bench_ms)
		env[n++] = xasprintf("COHORT_BENCH_MS=%" PRId64, spec->bench_ms);
	if (spec->iterations)
		env[n] = xasprintf("COHORT_ITERATIONS=%" PRId64, spec->iterations);
	return env;
}

static char **make_argv(json_t *list)
{
	char **argv = xcalloc(json_array_size(list) + 1, sizeof(*argv));
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) argv[i] = xstrdup(json_string_value(item));
	return argv;
}

static void free_all(char **strings)
{
	for (size_t i = 0; strings[i]; i++)
		free(strings[i]);
	free(strings);
}

/* As execvp(), but a file that is no program is an error and not a script for the shell: after a crash of the machine a
 * file may be there and empty, and an empty script passes. */
static void execute(const char *program, char **argv, char **env)
{
	char path[4096];
	const char *dirs = env[0] + strlen("PATH=");

	if (strchr(program, '/')) {
		(void)execve(program, argv, env);
		return;
	}
	for (size_t len; *dirs; dirs += len + (dirs[len] == ':')) {
		len = strcspn(dirs, ":");
		if (snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, program) <
		    (int)sizeof(path))
			(void)execve(path, argv, env);
		if (errno != ENOENT && errno != ENOTDIR)
			return;
	}
	errno = ENOENT;
}

/* In the new process: everything the agent set for itself is set back. Ends it with errno told through failed. */
static void become(const struct child_spec *spec, const struct pipes *p, char **argv, char **env)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);
	int error;

	(void)setpgid(0, 0);
	/* The worker's death must not leave a test running beside those of the next leg. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&none);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(p->out[1], 1) < 0 || dup2(p->err[1], 2) < 0 ||
	    chdir(spec->cwd) < 0)
		goto fail;
	if (null > 2)
		(void)close(null);
	prefer_for_oom();
	bound_memory(spec->memory_mib);
	execute(argv[0], argv, env);
fail:
	error = errno;
	(void)!write(p->failed[1], &error, sizeof(error));
	_exit(127);
}

static int open_pipes(struct pipes *p)
{
	*p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(p->out, O_CLOEXEC) < 0 || pipe2(p->err, O_CLOEXEC) < 0 ||
	    pipe2(p->failed, O_CLOEXEC) < 0)
		return -1;
	if (fcntl(p->out[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(p->err[0], F_SETFL, O_NONBLOCK) < 0)
		return -1;
	return 0;
}

static void close_pipes(const struct pipes *p)
{
	scoped_close(&p->out[0]);
	scoped_close(&p->out[1]);
	scoped_close(&p->err[0]);
	scoped_close(&p->err[1]);
	scoped_close(&p->failed[0]);
	scoped_close(&p->failed[1]);
}

/* The pipe closes by itself when exec succeeds; otherwise errno comes through it. */
static int exec_error(int fd)
{
	int error = 0;
	ssize_t n;

	do
		n = read(fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error : 0;
}

static pid_t spawn(const struct child_spec *spec, const struct pipes *p)
{
	char **argv = make_argv(spec->argv);
	char **env = make_env(spec);
	pid_t pid = fork();

	if (pid == 0)
		become(spec, p, argv, env);
	free_all(env);
	free_all(argv);
	return pid;
}

int child_start(struct child *child, const struct child_spec *spec, struct err *err)
{
	const char *program = json_string_value(json_array_get(spec->argv, 0));
	struct pipes p;
	int error;
	pid_t pid;

	*child = (struct child){.out = -1, .err = -1};
	pid = open_pipes(&p) < 0 ? -1 : spawn(spec, &p);
	if (pid < 0) {
		(void)err_errno(err, ERR_IO, "%.200s", program);
		close_pipes(&p);
		return -1;
	}
	(void)setpgid(pid, pid);
	(void)close(p.failed[1]);
	p.failed[1] = -1;
	error = exec_error(p.failed[0]);
	if (error != 0) {
		(void)waitpid(pid, NULL, 0);
		close_pipes(&p);
		errno = error;
		return err_errno(err, ERR_IO, "%.200s", program);
	}
	child->pid = pid;
	child->out = take_fd(&p.out[0]);
	child->err = take_fd(&p.err[0]);
	close_pipes(&p);
	return 0;
}

void child_signal(const struct child *child, int sig)
{
	if (child->pid > 0)
		(void)kill(-child->pid, sig);
}

static bool kill_if_ours(void *arg, const struct proc *proc)
{
	const pid_t *group = arg;

	if (proc->parent == getpid() || proc->group == *group)
		(void)kill(proc->pid, SIGKILL);
	return true;
}

/* Reap what is dead. False when there is no child left. */
static bool reap(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0);
	return pid == 0;
}

bool child_sweep(pid_t group)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int64_t end;

	(void)kill(-group, SIGKILL);
	if (!reap())
		return true;
	/* What left the group and still has a parent of its own becomes ours when that is killed: round after round. */
	for (end = time_mono_us() + SWEEP_US; time_mono_us() < end; (void)nanosleep(&pause, NULL)) {
		procs_each(kill_if_ours, &group);
		if (!reap())
			return true;
	}
	return false;
}

struct total {
	pid_t group;
	int64_t pages;
};

static bool add_resident(void *arg, const struct proc *proc)
{
	struct total *total = arg;

	if (proc->group == total->group)
		total->pages += proc->resident_pages;
	return true;
}

int64_t child_resident_kib(pid_t group)
{
	struct total total = {.group = group};

	procs_each(add_resident, &total);
	return total.pages * (sysconf(_SC_PAGESIZE) / 1024);
}

void child_close(struct child *child)
{
	scoped_close(&child->out);
	scoped_close(&child->err);
	child->out = child->err = -1;
}
