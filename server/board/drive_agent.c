/* drive_agent.c - the worker on the board: start it, follow it, believe as little of it as possible. */
#include "server/board/drive_private.h"

#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/board/agentline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FLOOD           (64U << 20) /* bytes of journal that one attempt may send */
#define TRIES_MAX       5
#define RETRY_US        200000
#define CANCEL_LIMIT_US (10 * SECOND)

static bool is_finished(const void *arg, size_t index)
{
	const struct attempt *a = arg;

	return a->tests[index].finished;
}

/* The request of a leg must be the same when it is sent again: what finished in the leg itself is left out only in the
 * next one, and this is asked for only while nothing of the leg is in. */
bool agent_run(struct drive *d)
{
	const struct record *r = d->record;
	struct request_leg leg = {
		.board = d->board,
		.leg = r->attempt.leg,
		.stop_on_oops = d->world.can_restart,
		.skip = is_finished,
		.arg = &r->attempt,
	};
	SCOPED_JSON doc = request_for_leg(&r->request, &leg);
	SCOPED_STR text = jx_text(doc);
	SCOPED_STR agent = prepare_agent(&d->prepare, &r->request);
	/* On a disk that a build filled there is no room for a journal but what kbuild kept back. */
	SCOPED_STR reserve = xasprintf("rm -f %s/build/reserve; ", d->board->root);
	SCOPED_STR command = xasprintf("%sexec %s run --root %s --follow",
	                               r->request.builds ? reserve : "", agent, d->board->root);

	if (d->retry.at_us != 0)
		return false;
	follow_run(&d->follow, command, text, strlen(text));
	d->world.worker = WORKER_FOLLOWED;
	return true;
}

bool agent_follow(struct drive *d)
{
	const struct record *r = d->record;
	SCOPED_STR agent = prepare_agent(&d->prepare, &r->request);
	SCOPED_STR command = NULL;

	if (d->retry.at_us != 0)
		return false;
	if (d->follow.off < r->attempt.off)
		d->follow.off = r->attempt.off;
	command = xasprintf("exec %s follow --root %s --run %" PRId64 ".%" PRId64 ".%" PRId64
	                    " --from %" PRIu64,
	                    agent, d->board->root, r->request.run, r->request.attempt,
	                    r->attempt.leg, d->follow.off);
	follow_from(&d->follow, command);
	d->world.worker = WORKER_FOLLOWED;
	return true;
}

static void ignore_out(void *arg, const char *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
}

static void ignore_done(void *arg, int status, const char *complaint, const struct err *err)
{
	(void)arg;
	(void)status;
	(void)complaint;
	(void)err;
}

void agent_forget(struct drive *d, const char *verb, int64_t first, int64_t last)
{
	SCOPED_STR agent = d->record ? prepare_agent(&d->prepare, &d->record->request)
	                             : xstrdup(d->last_agent);
	int64_t run = d->record ? d->record->request.run : d->last_run;
	int64_t attempt = d->record ? d->record->request.attempt : d->last_attempt;
	SCOPED_STR command = xasprintf("l=%" PRId64 "; while [ $l -le %" PRId64
	                               " ]; do %s %s --root %s --run %" PRId64 ".%" PRId64
	                               ".$l; l=$((l+1)); done",
	                               first, last, agent, verb, d->board->root, run, attempt);
	struct remote_exec exec = {
		.command = command,
		.limit_us = CANCEL_LIMIT_US,
		.out = ignore_out,
		.done = ignore_done,
	};

	(void)d->remote->class->exec(d->remote, &exec);
}

bool agent_cancel(struct drive *d)
{
	drive_say(d, "asking the agent to end");
	agent_forget(d, "cancel", d->record->attempt.leg, d->record->attempt.leg);
	d->world.cancel_sent = true;
	if (d->cancel_late.at_us == 0)
		loop_arm(d->loop, &d->cancel_late, d->times->cancel_us);
	return true;
}

/* --- what it says --- */

static void refuse(struct drive *d, const char *why)
{
	drive_say(d, "refused from the agent: %s", why);
	if (++d->record->refused > 100)
		drive_fault(d, "agent-protocol", "more than 100 bad lines, the last one: %s", why);
}

static void take_output(struct drive *d, const struct agent_line *line)
{
	record_output(d->record, d->loop->wall_us,
	              json_string_value(json_object_get(line->fields, "stream")),
	              json_string_value(json_object_get(line->fields, "text")));
}

/* The kernel died under this test and yet the agent lived to tell: what the program says of it counts no more. */
static void outrank(struct drive *d, struct agent_line *line)
{
	const struct attempt *a = &d->record->attempt;

	if (!a->crashed || line->verdict == VERDICT_FAIL ||
	    request_find(&d->record->request, line->id) != a->current)
		return;
	(void)json_object_set_new(line->fields, "verdict", json_string("fail"));
	(void)json_object_set_new(line->fields, "reason", json_string("kernel-crash"));
}

/* An oops that the kernel outlived makes every later word of it doubtful: who reads the results must know. */
static void note_oops(struct drive *d, const char *kind)
{
	const char *text =
		d->world.can_restart
			? "the kernel had an oops: the other tests wait for a new boot"
			: "the kernel had an oops, and nothing can start the board again: the "
			  "tests behind it run in that kernel";

	if (d->noted_oops || (strcmp(kind, "oops") != 0 && strcmp(kind, "panic") != 0))
		return;
	d->noted_oops = true;
	(void)drive_put(d, "note", json_pack("{s:s}", "text", text));
	drive_say(d, "%s", text);
}

/* How far a program is: for who watches, and no evidence. */
static bool take_progress(struct drive *d, const struct agent_line *line)
{
	const json_t *record = json_object_get(line->fields, "record");
	const char *type = json_string_value(json_object_get(record, "type"));

	if (!type || strcmp(type, "progress") != 0)
		return false;
	/* Whoever says that it is done again and again is heard five times a second as well. */
	if (d->loop->mono_us - d->progress_us < SECOND / 5)
		return true;
	drive_progress(d, json_string_value(json_object_get(record, "what")),
	               (uint64_t)json_integer_value(json_object_get(record, "done")),
	               (uint64_t)json_integer_value(json_object_get(record, "total")));
	return true;
}

/* A full disk on a builder is no failure of the kernel that it makes: the run is tried again. */
static void look_for_full_disk(struct drive *d, const struct agent_line *line)
{
	const char *reason = json_string_value(json_object_get(line->fields, "reason"));
	const char *detail = json_string_value(json_object_get(line->fields, "detail"));

	if (d->record->request.builds && line->verdict == VERDICT_ERROR && reason &&
	    strcmp(reason, "disk-full") == 0)
		drive_fault(d, "disk-full", "the builder's disk is full: %s", detail ? detail : "");
}

static void take_event(struct drive *d, struct agent_line *line, uint64_t end)
{
	const char *name = json_string_value(json_object_get(line->fields, "ev"));
	const struct record *r = d->record;

	if (line->id >= 0 && request_find(&r->request, line->id) < 0) {
		refuse(d, "a test that is not in the plan");
		return;
	}
	if (line->event == AGENT_TEST_RECORD && take_progress(d, line))
		return;
	if (line->event == AGENT_TEST_FINISHED) {
		look_for_full_disk(d, line);
		if (d->world.fault) /* the step counts as not run */
			return;
		outrank(d, line);
		drive_say(d, "%s: %s", json_string_value(json_object_get(line->fields, "name")),
		          json_string_value(json_object_get(line->fields, "verdict")));
	} else if (line->event == AGENT_TEST_STARTED) {
		drive_say(d, "-- %s", json_string_value(json_object_get(line->fields, "name")));
	} else if (line->event == AGENT_KERNEL_WARNING) {
		drive_say(d, "the kernel complains: %s",
		          json_string_value(json_object_get(line->fields, "text")));
	}
	(void)json_object_set_new(line->fields, "leg", json_integer((json_int_t)r->attempt.leg));
	(void)json_object_set_new(line->fields, "off", json_integer((json_int_t)end));
	if (drive_put(d, name, json_incref(line->fields)))
		d->flaps = 0;
	if (line->event == AGENT_KERNEL_WARNING)
		note_oops(d, json_string_value(json_object_get(line->fields, "kind")));
}

static void take_finished(struct drive *d, const struct agent_line *line)
{
	static const enum worker ends[] = {
		[AGENT_COMPLETE] = WORKER_COMPLETE,
		[AGENT_CANCELLED] = WORKER_CANCELLED,
		[AGENT_ERROR] = WORKER_ERROR,
		[AGENT_STOPPED] = WORKER_STOPPED,
	};
	const char *detail = json_string_value(json_object_get(line->fields, "detail"));

	d->world.worker = ends[line->outcome];
	(void)snprintf(
		d->worker_detail, sizeof(d->worker_detail), "the agent ended with %s: %.180s",
		json_string_value(json_object_get(line->fields, "outcome")), detail ? detail : "");
	if (detail && strstr(detail, "No space left") && line->outcome == AGENT_ERROR)
		drive_fault(d, "disk-full", "%s", d->worker_detail);
}

static int64_t field(const struct agent_line *line, const char *name)
{
	return json_integer_value(json_object_get(line->fields, name));
}

int agent_on_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct drive *d = arg;
	const struct record *r = d->record;
	struct agent_line line;
	struct err err;

	if (!r || r->attempt.ended || d->world.fault || d->world.worker != WORKER_FOLLOWED)
		return 0;
	if (d->follow.total > FLOOD)
		drive_fault(d, "agent-protocol", "more than %u MiB of journal", FLOOD >> 20);
	if (agent_line_read(text, len, &line, &err) < 0) {
		refuse(d, err.text);
		return 0;
	}
	switch (line.event) {
	case AGENT_STARTED:
		if (field(&line, "run") != r->request.run ||
		    field(&line, "attempt") != r->request.attempt ||
		    field(&line, "leg") != r->attempt.leg)
			drive_fault(d, "agent-protocol", "the journal is of another leg");
		break;
	case AGENT_FACTS:
		break;
	case AGENT_TEST_OUTPUT:
		take_output(d, &line);
		break;
	case AGENT_FINISHED:
		take_finished(d, &line);
		break;
	case AGENT_TEST_STARTED:
	case AGENT_TEST_RECORD:
	case AGENT_TEST_FINISHED:
	case AGENT_KERNEL_WARNING:
		take_event(d, &line, end);
		break;
	}
	agent_line_release(&line);
	return 0;
}

/* --- how its command ended --- */

/* `run` was refused. */
static void run_refused(struct drive *d)
{
	struct err err;
	SCOPED_JSON doc = jx_parse(d->follow.answer, strlen(d->follow.answer), 4096, &err);
	const char *why = json_string_value(json_object_get(doc, "error"));
	const char *code = "agent-failed";

	if (!why)
		why = *d->follow.complaint ? d->follow.complaint : "no answer";
	if (strstr(why, "stale fence"))
		code = "lease-lost";
	else if (strstr(why, "No space left"))
		code = "disk-full";
	drive_fault(d, code, "the agent refused the run: %s", why);
}

static bool answered_ok(const struct drive *d)
{
	SCOPED_JSON doc = jx_parse(d->follow.answer, strlen(d->follow.answer), 4096, NULL);

	return json_is_true(json_object_get(doc, "ok"));
}

static void try_again(struct drive *d)
{
	if (++d->follow_tries > TRIES_MAX) {
		drive_fault(d, "agent-failed", "following the agent failed with exit status %d: %s",
		            d->follow.status, d->follow.complaint);
		return;
	}
	d->world.worker = WORKER_UNKNOWN;
	loop_arm(d->loop, &d->retry, RETRY_US);
	/* The agent itself may be gone from the board. */
	if (d->follow.status == 126 || d->follow.status == 127) {
		prepare_forget(&d->prepare, false);
		d->world.ready = false;
	}
}

void agent_follow_ended(struct drive *d)
{
	bool was_run = *d->follow.answer != '\0' || d->follow.greeting;
	int status = d->follow.status;
	bool ran = d->follow.err.kind == ERR_NONE && status != 126 && status != 127;

	d->follow.ended = false;
	if (d->world.worker != WORKER_FOLLOWED)
		return;
	if (ran && was_run && !answered_ok(d))
		run_refused(d);
	else if (ran && (status == 3 || status == 4))
		d->world.worker = WORKER_GONE;
	else
		try_again(d);
}
