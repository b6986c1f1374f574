#include "agent/testrun.h"

#include "agent/child.h"
#include "agent/ktap.h"
#include "agent/output.h"
#include "agent/record.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define GRACE_US      (2 * 1000000) /* between SIGTERM and SIGKILL */
#define LOOK_FIRST_US 50000 /* the first look at the memory in use, then twice as late each time */
#define LOOK_LAST_US  400000

struct run {
	struct session *s;
	const struct planned *test;
	struct child child;
	struct output_sink sinks[2];
	struct output streams[2];
	struct ending end;
	struct rusage usage;
	json_t *result;            /* owned: the result record */
	struct ktap *ktap;         /* owned: reads its stdout, or NULL */
	uint64_t seen;             /* bytes of output, both streams */
	uint64_t dropped;          /* of them, those behind the output limit */
	int64_t begin_us;          /* all below: time_boot_us() */
	int64_t limit_us, kill_us; /* when the test is asked, and made, to end; 0: not due */
	int64_t look_us, look_step_us;
	int64_t quiet_us; /* when a complaint of the kernel counts as whole */
	bool reaped;
};

static void put_text(struct run *r, const char *stream, const char *text, size_t len)
{
	events_put(&r->s->events, "test-output",
	           json_pack("{s:I, s:s, s:s%}", "id", (json_int_t)r->test->id, "stream", stream,
	                     "text", text, len));
}

static void on_out(void *arg, const char *text, size_t len)
{
	put_text(arg, "out", text, len);
}

static void on_err(void *arg, const char *text, size_t len)
{
	put_text(arg, "err", text, len);
}

static void on_record(void *arg, const char *line, size_t len, json_t *record)
{
	struct run *r = arg;

	events_put_record(&r->s->events, r->test->id, line, len);
	if (strcmp(json_string_value(json_object_get(record, "type")), "result") != 0)
		return;
	r->end.results++;
	if (!r->result)
		r->result = json_incref(record);
}

static void on_line(void *arg, const char *line, size_t len)
{
	struct run *r = arg;

	ktap_line(r->ktap, line, len);
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* A result inside of KTAP, as a program that prints records would say it. What is expected to fail promises nothing. */
static void on_cell(void *arg, const struct ktap_cell *cell)
{
	struct run *r = arg;
	bool told = cell->verdict == VERDICT_PASS || cell->verdict == VERDICT_FAIL;
	SCOPED_JSON record = json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:i, s:i}", "type", "cell", "test", r->test->name,
		"cell", cell->path, "verdict", verdict_name(cell->verdict), "reason",
		text_or_null(cell->reason), "detail", text_or_null(cell->detail), "trials", told,
		"bad", cell->verdict == VERDICT_FAIL);
	SCOPED_STR line = NULL;

	if (cell->expected)
		(void)json_object_set_new(record, "kind", json_string("gap"));
	line = jx_text(record);
	events_put_record(&r->s->events, r->test->id, line, strlen(line));
}

void session_signals(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			s->cancelled = true;
}

/* Ask the test to end, once; the first cause is the one that counts. */
static void stop(struct run *r, enum stop why, int64_t now)
{
	if (r->end.stop != STOP_NONE || r->reaped)
		return;
	r->end.stop = why;
	child_signal(&r->child, why == STOP_TIMEOUT || why == STOP_CANCEL ? SIGTERM : SIGKILL);
	r->kill_us = now + GRACE_US;
}

/* Read what is there of one stream, up to a bound so that the other things get their turn. */
static void drain(struct run *r, int *fd, struct output *o)
{
	char block[16384];
	uint64_t limit = (uint64_t)r->s->req->output_bytes;

	for (unsigned i = 0; *fd >= 0 && i < 64; i++) {
		ssize_t n = read(*fd, block, sizeof(block));
		uint64_t room = r->seen < limit ? limit - r->seen : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			(void)close(*fd);
			*fd = -1;
			return;
		}
		r->seen += (uint64_t)n;
		output_feed(o, block, (uint64_t)n < room ? (size_t)n : (size_t)room);
		if ((uint64_t)n > room) {
			r->dropped += (uint64_t)n - room;
			stop(r, STOP_OUTPUT, time_boot_us());
		}
	}
}

static void drain_both(struct run *r)
{
	drain(r, &r->child.out, &r->streams[0]);
	drain(r, &r->child.err, &r->streams[1]);
}

/* The program itself ended: its group and descendants end with it, whatever they still hold open. */
static void reap(struct run *r)
{
	pid_t pid;

	do
		pid = wait4(r->child.pid, &r->end.status, WNOHANG, &r->usage);
	while (pid < 0 && errno == EINTR);
	r->reaped = pid != 0;
}

static void look_at_memory(struct run *r, int64_t now)
{
	if (child_resident_kib(r->child.pid) > r->s->req->memory_mib * 1024)
		stop(r, STOP_MEMORY, now);
	if (r->look_step_us < LOOK_LAST_US)
		r->look_step_us *= 2;
	r->look_us = now + r->look_step_us;
}

/* Do what is due at now. */
static void tick(struct run *r, int64_t now)
{
	if (r->s->cancelled)
		stop(r, STOP_CANCEL, now);
	if (now >= r->limit_us)
		stop(r, STOP_TIMEOUT, now);
	if (r->kill_us != 0 && now >= r->kill_us) {
		child_signal(&r->child, SIGKILL);
		r->kill_us = now + GRACE_US;
	}
	if (now >= r->look_us)
		look_at_memory(r, now);
	if (!kmsg_busy(r->s->kmsg))
		r->quiet_us = 0;
	else if (r->quiet_us == 0)
		r->quiet_us = now + KMSG_QUIET_US;
	else if (now >= r->quiet_us)
		kmsg_flush(r->s->kmsg);
}

static int64_t next_due(const struct run *r)
{
	int64_t due = r->look_us;

	if (r->end.stop == STOP_NONE && r->limit_us < due)
		due = r->limit_us;
	if (r->kill_us != 0 && r->kill_us < due)
		due = r->kill_us;
	if (r->quiet_us != 0 && r->quiet_us < due)
		due = r->quiet_us;
	return due;
}

static void watch(struct run *r)
{
	while (!r->reaped && !r->s->events.failed) {
		struct pollfd fds[] = {
			{.fd = r->s->signals, .events = POLLIN},
			{.fd = r->child.out, .events = POLLIN},
			{.fd = r->child.err, .events = POLLIN},
			{.fd = kmsg_fd(r->s->kmsg), .events = POLLIN},
		};

		if (poll(fds, 4, time_left_ms(time_boot_us(), next_due(r))) < 0 && errno != EINTR)
			break;
		drain_both(r);
		if (fds[3].revents) {
			kmsg_drain(r->s->kmsg);
			r->quiet_us = 0;
		}
		if (fds[0].revents) {
			session_signals(r->s);
			reap(r);
		}
		tick(r, time_boot_us());
	}
}

/* Whatever happened, nothing of the test is left running behind this. */
static void finish(struct run *r)
{
	if (!r->reaped) {
		child_signal(&r->child, SIGKILL);
		(void)wait4(r->child.pid, &r->end.status, 0, &r->usage);
	}
	if (!child_sweep(r->child.pid))
		events_put(&r->s->events, "test-output",
		           json_pack("{s:I, s:s, s:s}", "id", (json_int_t)r->test->id, "stream",
		                     "err", "text",
		                     "cohort-agent: a process of this test cannot be killed"));
	drain_both(r);
	child_close(&r->child);
	output_end(&r->streams[0]);
	output_end(&r->streams[1]);
	if (r->end.stop == STOP_NONE && r->usage.ru_maxrss > r->s->req->memory_mib * 1024)
		r->end.stop = STOP_MEMORY;
}

static json_t *or_null(json_t *borrowed)
{
	return borrowed ? json_incref(borrowed) : json_null();
}

static json_t *count_of(json_t *borrowed, int64_t ktap)
{
	return ktap > 0 ? json_integer((json_int_t)ktap) : or_null(borrowed);
}

static void put_finished(struct run *r)
{
	struct ktap_outcome ktap;
	struct judgement j;
	json_t *fields;

	if (r->ktap)
		ktap_end(r->ktap, &ktap);
	j = r->ktap ? record_judge_ktap(&r->end, &ktap) : record_judge(&r->end);
	fields = json_pack(
		"{s:I, s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "id",
		(json_int_t)r->test->id, "name", r->test->name, "rep", (json_int_t)r->test->rep,
		"verdict", verdict_name(j.verdict), "reason", text_or_null(j.reason), "detail",
		j.detail ? json_incref(j.detail) : text_or_null(j.text), "trials",
		count_of(j.trials, j.ktap_trials), "bad", count_of(j.bad, j.ktap_bad),
		"duration_us", (json_int_t)(time_boot_us() - r->begin_us), "max_rss_kib",
		(json_int_t)r->usage.ru_maxrss, "dropped_bytes",
		(json_int_t)(r->dropped + r->streams[0].dropped + r->streams[1].dropped));

	if (r->end.stop != STOP_EXEC && WIFSIGNALED(r->end.status))
		(void)json_object_set_new(fields, "signal", json_integer(WTERMSIG(r->end.status)));
	else if (r->end.stop != STOP_EXEC)
		(void)json_object_set_new(fields, "exit_code",
		                          json_integer(WEXITSTATUS(r->end.status)));
	events_put(&r->s->events, "test-finished", fields);
}

static void execute(struct run *r, struct err *why)
{
	SCOPED_STR cwd = xasprintf("%s/%" PRId64, r->s->leg->work, r->test->id);
	struct child_spec spec = {
		.argv = r->test->argv,
		.cwd = cwd,
		.name = r->test->name,
		.root = r->s->leg->root,
		.device = r->s->req->device,
		.make_jobs = r->s->req->make_jobs,
		.bench_ms = r->s->req->bench_ms,
		.iterations = r->s->req->iterations,
		.run = r->s->req->run,
		.id = r->test->id,
		.memory_mib = r->s->req->memory_mib,
	};

	r->begin_us = time_boot_us();
	r->limit_us = r->begin_us + r->test->time_limit_s * 1000000;
	r->look_step_us = LOOK_FIRST_US;
	r->look_us = r->begin_us + r->look_step_us;
	if (mkdir(cwd, 0777) < 0 && errno != EEXIST) {
		r->end.stop = STOP_EXEC;
		(void)err_errno(why, ERR_IO, "%.200s", cwd);
	} else if (child_start(&r->child, &spec, why) < 0) {
		r->end.stop = STOP_EXEC;
	} else {
		watch(r);
		finish(r);
	}
	remove_tree(cwd);
}

void testrun(struct session *s, const struct planned *test)
{
	struct run *r = xcalloc(1, sizeof(*r));
	struct err why = {0};

	r->s = s;
	r->test = test;
	r->ktap = test->ktap ? ktap_new(on_cell, r) : NULL;
	r->sinks[0] = (struct output_sink){on_out, on_record, r->ktap ? on_line : NULL, r};
	r->sinks[1] = (struct output_sink){on_err, on_record, NULL, r};
	output_init(&r->streams[0], &r->sinks[0], !test->ktap);
	output_init(&r->streams[1], &r->sinks[1], false);
	s->id = test->id;
	s->complaints = 0;
	events_put(&s->events, "test-started",
	           json_pack("{s:I, s:s, s:I}", "id", (json_int_t)test->id, "name", test->name,
	                     "rep", (json_int_t)test->rep));
	events_sync(&s->events);
	kmsg_mark(s->kmsg, "cohort: begin %" PRId64 " %s", test->id, test->name);
	if (!s->events.failed) {
		execute(r, &why);
		r->end.why = why.text;
		r->end.result = r->result;
		kmsg_drain(s->kmsg);
		kmsg_flush(s->kmsg);
		put_finished(r);
		events_sync(&s->events);
		kmsg_mark(s->kmsg, "cohort: end %" PRId64 " %s", test->id, test->name);
		s->finished++;
	}
	s->id = -1;
	s->complaints = 0;
	json_decref(r->result);
	ktap_free(r->ktap);
	free(r);
}
