#include "server/board/drive_private.h"

#include "common/logline.h"
#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/board/caplog.h"
#include "server/board/prove.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED_MAX 100

const struct drive_times drive_times_usual = {
	.connect_us = 10 * SECOND,
	.cancel_us = 15 * SECOND,
	.check_us = 10 * SECOND,
};

bool drive_put(struct drive *d, const char *event, json_t *fields)
{
	struct err err;

	if (record_put(d->record, d->loop->wall_us, event, fields, &err) == 0)
		return true;
	if (err.kind != ERR_PROTOCOL && err.kind != ERR_TOOBIG) {
		log_error("%s: %s", d->record->dir, err.text);
		exit(1);
	}
	drive_say(d, "refused: %s", err.text);
	if (++d->record->refused > REFUSED_MAX)
		drive_fault(d, "agent-protocol", "more than %d bad lines, the last one: %s",
		            REFUSED_MAX, err.text);
	return false;
}

json_t *drive_text(const char *text, size_t len)
{
	SCOPED_STR out = xcalloc(1, 3 * len + 1);
	size_t used;

	(void)utf8_clean(text, len, out, 3 * len + 1, &used);
	return json_string(out);
}

void drive_say(struct drive *d, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (d->record)
		record_say(d->record, d->loop->wall_us, "%s", text);
}

void drive_fault(struct drive *d, const char *code, const char *fmt, ...)
{
	va_list ap;

	if (!d->record || d->world.fault)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(d->fault_detail, sizeof(d->fault_detail), fmt, ap);
	va_end(ap);
	d->world.fault = code;
}

void drive_hint(struct drive *d, const char *state, const char *detail)
{
	d->hints.state(d->hints.arg, state, detail, d->prepare.facts);
}

/* --- one function an action; each returns whether something changed at once --- */

static bool act_stage(struct drive *d, const struct action *a)
{
	const char *name = stage_name(a->stage);
	struct record *r = d->record;

	(void)drive_put(d, "stage", json_pack("{s:s}", "stage", name));
	drive_say(d, "== %s", name);
	if (a->stage == STAGE_TEST)
		d->run_late.at_us = d->loop->mono_us + r->request.run_s * SECOND;
	return true;
}

static bool act_boot(struct drive *d, const struct action *a)
{
	(void)a;
	return boot_begin(d);
}

static bool act_link(struct drive *d, const struct action *a)
{
	(void)a;
	return link_connect(d);
}

/* Compare this session's facts with the build, once. */
static void take_proof(struct drive *d)
{
	const char *boot_id = json_string_value(json_object_get(d->prepare.facts, "boot_id"));
	struct err err = {0};
	struct proof proof = prove(&d->record->request, d->board->cache, d->prepare.facts,
	                           *d->console.cache_line ? d->console.cache_line : NULL, &err);

	(void)snprintf(d->world.boot_id, sizeof(d->world.boot_id), "%.64s", boot_id);
	d->world.proved = proof.fault == NULL;
	/* A machine without an ARM cache prints nothing, and that is its class. */
	d->proved_cache = proof.cache == CACHE_UNKNOWN ? d->board->cache : proof.cache;
	d->world.proof_code = proof.fault;
	(void)snprintf(d->fault_detail, sizeof(d->fault_detail), "%s", err.text);
	d->world.ready = true;
	d->world.late = false;
	d->link_late.at_us = 0;
	d->flaps = 0;
}

static bool act_ready(struct drive *d, const struct action *a)
{
	const char *boot_id;

	struct err err;

	(void)a;
	if (request_fits(&d->record->request, d->board, &err) < 0) {
		drive_fault(d, "provision-failed", "%s", err.text);
		return true;
	}
	switch (prepare_step(&d->prepare, &d->record->request)) {
	case PREPARE_BUSY:
		return false;
	case PREPARE_FAILED:
		drive_fault(d, d->prepare.fault, "%s", d->prepare.err.text);
		/* Who does not answer here will not answer the next attempt in this session. */
		if (d->prepare.err.kind == ERR_TIMEOUT)
			link_close(d);
		return true;
	case PREPARE_READY:
		break;
	}
	boot_id = json_string_value(json_object_get(d->prepare.facts, "boot_id"));
	if (*d->old_boot && strcmp(d->old_boot, boot_id) == 0) {
		/* The boot command is done, but this is still the kernel from before it. */
		link_close(d);
		return false;
	}
	d->old_boot[0] = '\0';
	take_proof(d);
	return true;
}

static bool act_proved(struct drive *d, const struct action *a)
{
	json_t *facts = d->prepare.facts;
	json_t *release = json_object_get(facts, "release");

	(void)a;
	(void)drive_put(d, "proved",
	                json_pack("{s:O?, s:O?, s:s, s:s, s:O}", "release", release, "build_id",
	                          json_object_get(facts, "build_id"), "cache",
	                          cache_class_name(d->proved_cache), "boot_id", d->world.boot_id,
	                          "facts", facts));
	drive_say(d, "proved: kernel %s, boot %s", json_string_value(release), d->world.boot_id);
	return true;
}

static bool act_leg(struct drive *d, const struct action *a)
{
	(void)a;
	(void)drive_put(d, "leg",
	                json_pack("{s:I, s:s}", "leg", (json_int_t)d->record->attempt.leg + 1,
	                          "boot_id", d->world.boot_id));
	follow_reset(&d->follow, 0);
	d->world.worker = WORKER_UNKNOWN;
	d->world.booted = d->world.restarted = d->noted_oops = false;
	d->follow_tries = 0;
	return true;
}

static bool act_run(struct drive *d, const struct action *a)
{
	(void)a;
	return agent_run(d);
}

static bool act_follow(struct drive *d, const struct action *a)
{
	(void)a;
	return agent_follow(d);
}

/* A result that the board cannot give any more. */
static void finish_for_board(struct drive *d, const char *verdict, const char *reason,
                             const char *detail)
{
	const struct record *r = d->record;
	const struct planned *t = &r->request.tests[r->attempt.current];

	drive_say(d, "%s: %s, %s: %s", t->name, verdict, reason, detail);
	(void)drive_put(d, "test-finished",
	                json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:n, s:n, s:n, s:I}", "id",
	                          (json_int_t)t->id, "name", t->name, "rep", (json_int_t)t->rep,
	                          "verdict", verdict, "reason", reason, "detail", detail, "trials",
	                          "bad", "duration_us", "leg", (json_int_t)r->attempt.leg));
}

static bool act_crashed(struct drive *d, const struct action *a)
{
	(void)a;
	/* A complaint that is still coming in may be the one that explains this. */
	console_flush(&d->console);
	finish_for_board(d, "fail", "kernel-crash",
	                 d->record->attempt.crashed ? "the kernel died in this test"
	                                            : "rebooted in this test");
	return true;
}

static bool act_died(struct drive *d, const struct action *a)
{
	(void)a;
	finish_for_board(d, "error", "agent-died",
	                 "the agent died in each of its legs with this test");
	return true;
}

static bool act_cancel(struct drive *d, const struct action *a)
{
	(void)a;
	return agent_cancel(d);
}

static bool act_restart(struct drive *d, const struct action *a)
{
	(void)a;
	return power_restart(d);
}

static bool act_collect(struct drive *d, const struct action *a)
{
	struct record *r = d->record;
	enum build_role role = attempt_wanted(&r->attempt);
	const struct attempt_file *f = &r->attempt.files[role];
	const char *what = build_role_name(role);

	(void)a;
	switch (collect_step(&d->collect, r->dir, what, f)) {
	case COLLECT_BUSY:
		return false;
	case COLLECT_FAILED:
		drive_fault(d, "collect-failed", "%s", d->collect.err.text);
		/* Who does not answer here will not answer the next attempt in this session. */
		if (d->collect.err.kind == ERR_TIMEOUT)
			link_close(d);
		return true;
	case COLLECT_HAVE:
		break;
	}
	drive_say(d, "%s: %lld bytes", what, (long long)f->size);
	(void)drive_put(d, "file",
	                json_pack("{s:s, s:s, s:I}", "role", what, "sha256", f->sha256, "size",
	                          (json_int_t)f->size));
	d->flaps = 0;
	return true;
}

static const char *usual_detail(const struct drive *d, const char *code)
{
	static const struct {
		const char *code, *text;
	} rows[] = {
		{"run-timeout", "the run took longer than its limit"},
		{"power-lost", "the board is switched off, and not by the farm"},
		{"agent-died", "the agent ended again and again without a test"},
		{"agent-protocol", "the agent says that it is complete, but results are missing"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].code, code) == 0)
			return rows[i].text;
	return strcmp(code, "agent-failed") == 0 ? d->worker_detail : d->last_error;
}

static json_t *ended_fields(struct drive *d, const struct action *a)
{
	const char *stage = stage_name(d->record->attempt.stage);
	const char *detail = *d->fault_detail ? d->fault_detail : NULL;

	if (!a->fault)
		return json_pack("{s:s, s:n}", "outcome", a->outcome, "fault");
	if (!detail)
		detail = usual_detail(d, a->fault);
	drive_say(d, "fault %s in %s: %s", a->fault, stage, detail);
	log_note("run %lld.%lld: %s in %s: %s", (long long)d->record->request.run,
	         (long long)d->record->request.attempt, a->fault, stage, detail);
	return json_pack("{s:s, s:{s:s, s:s, s:o}}", "outcome", a->outcome, "fault", "code",
	                 a->fault, "stage", stage, "detail", drive_text(detail, strlen(detail)));
}

/* Leave the attempt: what of it still runs on the board is asked to end; after a fault nothing is believed any more. */
static void leave(struct drive *d, const struct action *a)
{
	struct record *r = d->record;

	if (a->fault || strcmp(a->outcome, "cancelled") == 0) {
		if (d->child_job == CHILD_BOOT || d->child_job == CHILD_STATUS) {
			child_stop(&d->child);
			d->child_job = CHILD_FREE;
		}
		follow_drop(&d->follow, false);
		if (d->world.link_up && r->attempt.leg > 0)
			agent_forget(d, "cancel", r->attempt.leg, r->attempt.leg);
		prepare_forget(&d->prepare, false);
	}
	collect_forget(&d->collect, false);
	follow_reset(&d->follow, 0);
	d->last_run = r->request.run;
	d->last_attempt = r->request.attempt;
	d->last_legs = r->attempt.leg;
	free(d->last_agent);
	d->last_agent = prepare_agent(&d->prepare, &r->request);
	d->link_again.at_us = d->link_late.at_us = d->run_late.at_us = 0;
	d->cancel_late.at_us = d->retry.at_us = 0;
	record_close(r);
	d->record = NULL;
	if (a->fault && strcmp(a->fault, "board-lost") == 0 &&
	    d->board->power.command[POWER_CYCLE] && d->child_job == CHILD_FREE)
		(void)power_begin(d, POWER_CYCLE, CHILD_CYCLE);
}

static bool act_end(struct drive *d, const struct action *a)
{
	struct err err;

	console_flush(&d->console);
	if (d->record->refused > 0)
		(void)drive_put(d, "note",
		                json_pack("{s:o}", "text",
		                          json_sprintf("%llu lines from the board were refused",
		                                       (unsigned long long)d->record->refused)));
	(void)drive_put(d, "ended", ended_fields(d, a));
	drive_say(d, "== ended: %s", a->outcome);
	if (record_sync(d->record, &err) < 0)
		log_error("%s: %s", d->record->dir, err.text);
	d->hints.journal(d->hints.arg, d->record);
	leave(d, a);
	drive_hint(d, d->world.link_up || d->method->starts ? "idle" : "unreachable",
	           d->world.link_up ? "" : d->last_error);
	return true;
}

static bool drive_act(struct drive *d, const struct action *a)
{
	static bool (*const acts[])(struct drive * d, const struct action *a) = {
		[ACT_STAGE] = act_stage,     [ACT_BOOT] = act_boot,     [ACT_LINK] = act_link,
		[ACT_READY] = act_ready,     [ACT_PROVED] = act_proved, [ACT_LEG] = act_leg,
		[ACT_RUN] = act_run,         [ACT_FOLLOW] = act_follow, [ACT_CRASHED] = act_crashed,
		[ACT_DIED] = act_died,       [ACT_CANCEL] = act_cancel, [ACT_RESTART] = act_restart,
		[ACT_COLLECT] = act_collect, [ACT_END] = act_end,
	};

	return a->act != ACT_WAIT && acts[a->act](d, a);
}

void drive_step(struct drive *d)
{
	bool moved = true;

	if (d->follow.ended && d->record)
		agent_follow_ended(d);
	if (d->record && d->record->attempt.ended) { /* a run op for what has ended already */
		struct action none = {.outcome = "complete"};

		d->hints.journal(d->hints.arg, d->record);
		leave(d, &none);
		drive_hint(d, "idle", "");
	}
	while (moved && d->record) {
		struct action a = attempt_next(&d->record->attempt, &d->world);

		moved = drive_act(d, &a);
	}
	if (d->record && record_size(d->record) != d->told) {
		d->told = record_size(d->record);
		d->hints.journal(d->hints.arg, d->record);
	}
	check_step(d);
}

/* --- timers of an attempt --- */

static void on_run_late(void *arg)
{
	struct drive *d = arg;

	d->world.run_late = true;
	loop_arm(d->loop, &d->cancel_late, d->times->cancel_us);
	drive_say(d, "the run's time is over");
}

static void on_cancel_late(void *arg)
{
	struct drive *d = arg;

	d->world.cancel_late = true;
}

static void on_retry(void *arg)
{
	(void)arg; /* the step behind this round looks again */
}

void drive_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct drive *d = arg;

	if (d->loop->mono_us - d->progress_us < SECOND / 5 && done < total)
		return;
	d->progress_us = d->loop->mono_us;
	(void)drive_put(d, "progress",
	                json_pack("{s:s, s:s, s:I, s:I}", "stage",
	                          stage_name(d->record->attempt.stage), "what", what, "done",
	                          (json_int_t)done, "total", (json_int_t)total));
}

bool drive_can_restart(const struct drive *d)
{
	return d->board->power.command[POWER_CYCLE] || d->method->starts;
}

void drive_init(struct drive *d, struct loop *loop, const struct board_file *board,
                struct remote *remote, const char *state_dir, const struct drive_hints *hints)
{
	*d = (struct drive){
		.loop = loop,
		.board = board,
		.state_dir = state_dir,
		.times = &drive_times_usual,
		.remote = remote,
		.hints = *hints,
		.method = boot_method_of(board->boot.method),
	};
	SCOPED_STR log = xasprintf("%s/%s.console.log", state_dir, board->name);
	struct err err;

	d->console_log = caplog_open(log, CONSOLE_HEAD, CONSOLE_TAIL, &err);
	if (!d->console_log)
		log_warn("%s", err.text);
	d->run_late = (struct loop_timer){.fn = on_run_late, .arg = d};
	d->cancel_late = (struct loop_timer){.fn = on_cancel_late, .arg = d};
	d->retry = (struct loop_timer){.fn = on_retry, .arg = d};
	loop_add_timer(loop, &d->run_late);
	loop_add_timer(loop, &d->cancel_late);
	loop_add_timer(loop, &d->retry);
	child_init(&d->child, loop);
	prepare_init(&d->prepare, remote, board->root);
	d->prepare.progress = drive_progress;
	d->prepare.arg = d;
	follow_init(&d->follow, remote, agent_on_line, d);
	collect_init(&d->collect, remote);
	d->collect.progress = drive_progress;
	d->collect.arg = d;
	link_init(d);
	console_start(&d->console, loop, board,
	              &(struct console_events){
			      .line = link_console_events.line,
			      .complaint = link_console_events.complaint,
			      .state = link_console_events.state,
			      .arg = d,
		      });
}

void drive_release(struct drive *d)
{
	console_stop(&d->console);
	child_release(&d->child);
	d->remote->class->free(d->remote);
	follow_release(&d->follow);
	collect_release(&d->collect);
	prepare_release(&d->prepare);
	record_close(d->record);
	caplog_close(d->console_log);
	free(d->last_agent);
}
