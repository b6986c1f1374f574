#include "runner.h"

#include "ctx.h"
#include "ledger.h"
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNNER_PRIORITY 51 /* above the tests' 50, or a busy test could outrun its limit */
#define REAP_LIMIT_US   5000000U
#define REAP_PAUSE_NS   2000000L

struct shared {
	struct report report;
	struct ledger ledger;
};

struct runner {
	struct shared *shared;
	struct platform platform;
	sigset_t signals; /* blocked in the runner, taken by sigtimedwait() */
	bool interrupted;
	uint64_t busy_since_us; /* what we do between two tests has our priority, too */
};

struct runner *runner_new(void)
{
	static struct runner runner;
	struct sched_param fifo = {.sched_priority = RUNNER_PRIORITY};

	runner.shared = mmap(NULL, sizeof(*runner.shared), PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (runner.shared == MAP_FAILED) {
		perror("coherence: shared memory");
		return NULL;
	}
	(void)sigemptyset(&runner.signals);
	(void)sigaddset(&runner.signals, SIGCHLD);
	(void)sigaddset(&runner.signals, SIGTERM);
	(void)sigaddset(&runner.signals, SIGINT);
	(void)sigaddset(&runner.signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &runner.signals, NULL);
	/* Grandchildren of a killed test become ours, so that we can wait for their end. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	platform_read(&runner.platform);
	(void)ledger_sweep();
	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo);
	return &runner;
}

bool runner_interrupted(const struct runner *runner)
{
	return runner->interrupted;
}

/* A marker in the kernel log: when the board dies, its console says in which test. Opened
 * each time, because writes through one descriptor are rate-limited. */
static void mark(const char *what, const struct test *test)
{
	char line[96];
	int length = snprintf(line, sizeof(line), "<13>cctest %s %s\n", what, test->name);
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, line, (size_t)length) < 0) {
		/* A board without a log can still be tested. */
	}
	(void)close(fd);
}

/* The end of the runner is ours, also when it came before we could ask for that. */
static void die_with(pid_t owner)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != owner)
		_exit(1);
}

static _Noreturn void test_main(struct runner *runner, const struct test *test,
                                const struct run_options *options, pid_t owner)
{
	static struct ctx ctx;
	struct rlimit none = {0, 0};
	uint32_t mixed = options->seed * 2654435761U;

	(void)setpgid(0, 0);
	die_with(owner);
	(void)sigprocmask(SIG_UNBLOCK, &runner->signals, NULL);
	(void)setrlimit(RLIMIT_CORE, &none);
	ctx = (struct ctx){
		.test = test,
		.report = &runner->shared->report,
		.ledger = &runner->shared->ledger,
		.inject = options->inject,
		.device = options->device,
		.iterations = runner->shared->report.iterations,
		.bench_ms = options->bench_ms != 0 ? options->bench_ms : BENCH_MS,
		.class_bits = runner->platform.class_bits,
		.switch_hides = platform_switch_hides(&runner->platform),
		.nonce = (uint16_t)(mixed >> 16),
	};
	if (ctx_init(&ctx) == 0) {
		(void)test->run(&ctx);
		machine_rest();
	}
	ctx.report->finished = 1;
	_exit(0);
}

/* Wait until pid ends or time is over. Returns true with *status set, or false. */
static bool wait_until(struct runner *runner, pid_t pid, uint64_t deadline_us, int *status)
{
	for (;;) {
		uint64_t now = machine_now_us();
		uint64_t left = deadline_us > now ? deadline_us - now : 0;
		struct timespec limit = {.tv_sec = (time_t)(left / 1000000U),
		                         .tv_nsec = (long)(left % 1000000U) * 1000L};
		int signal;

		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (left == 0)
			return false;
		signal = sigtimedwait(&runner->signals, NULL, &limit);
		if (signal > 0 && signal != SIGCHLD) {
			runner->interrupted = true;
			return false;
		}
	}
}

/* Kill the whole group of pid, and wait for the end of all that was in it. */
static void end_group(pid_t pid)
{
	struct timespec pause = {.tv_nsec = REAP_PAUSE_NS};
	uint64_t deadline = machine_now_us() + REAP_LIMIT_US;

	(void)kill(-pid, SIGKILL);
	while (machine_now_us() < deadline) {
		pid_t reaped = waitpid(-1, NULL, WNOHANG);

		if (reaped < 0)
			return; /* none left */
		if (reaped == 0)
			(void)nanosleep(&pause, NULL);
	}
}

static void note_end(struct report *report, enum reason reason, const char *what)
{
	char name[CELL_NAME_MAX];

	test_cell_name(report->test, report->running_cell % test_cells(report->test), name);
	report->stop = VERDICT_ERROR;
	report->stop_reason = reason;
	(void)snprintf(report->detail, sizeof(report->detail), "%s in cell %s", what, name);
}

static void note_exit(struct report *report, int status)
{
	char what[64] = "ended early";

	if (WIFEXITED(status) && report->finished)
		return;
	if (WIFSIGNALED(status))
		(void)snprintf(what, sizeof(what), "killed by signal %d", WTERMSIG(status));
	note_end(report, REASON_SIGNAL, what);
}

static void note_timeout(struct report *report, unsigned int limit_s)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "not ready after %u s", limit_s);
	note_end(report, REASON_TIMEOUT, what);
}

static void supervise(struct runner *runner, const struct test *test, pid_t pid)
{
	struct report *report = &runner->shared->report;
	uint64_t deadline = machine_now_us() + test->time_limit_s * UINT64_C(1000000);
	int status = 0;

	if (wait_until(runner, pid, deadline, &status))
		note_exit(report, status);
	else if (runner->interrupted)
		note_end(report, REASON_SIGNAL, "interrupted");
	else
		note_timeout(report, test->time_limit_s);
	runner->busy_since_us = machine_now_us();
	end_group(pid);
	if (ledger_clean(&runner->shared->ledger) > 0)
		(void)fprintf(stderr, "coherence: %s: a device could not be removed\n", test->name);
}

static void report_init(struct report *report, const struct test *test,
                        const struct run_options *options)
{
	memset(report, 0, sizeof(*report));
	report->test = test;
	report->seed = options->seed;
	report->iterations = options->iterations != 0 ? options->iterations : test->iterations;
	report->cell_count = test_cells(test);
}

const struct report *runner_run(struct runner *runner, const struct test *test,
                                const struct run_options *options)
{
	struct report *report = &runner->shared->report;
	uint64_t start;
	pid_t owner = getpid();
	pid_t pid;

	if (runner->busy_since_us != 0)
		machine_rest_since(runner->busy_since_us);
	start = machine_now_us();
	report_init(report, test, options);
	ledger_init(&runner->shared->ledger, owner);
	if (!options->quiet_log)
		mark("begin", test);
	pid = fork();
	if (pid == 0)
		test_main(runner, test, options, owner);
	if (pid < 0) {
		report->stop = VERDICT_ERROR;
		report->stop_reason = REASON_ERRNO;
		(void)snprintf(report->detail, sizeof(report->detail), "fork: %s", strerror(errno));
	} else {
		(void)setpgid(pid, pid);
		supervise(runner, test, pid);
	}
	if (!options->quiet_log)
		mark("end", test);
	report->duration_us = machine_now_us() - start;
	report_judge(report);
	return report;
}
