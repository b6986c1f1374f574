/* drive_link.c - the driver's senses for the machine: session, console, power. */
#include "server/board/drive_private.h"

#include "common/logline.h"
#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/board/caplog.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_US     50000
#define BACKOFF_MAX_US (SECOND / 5)
#define BANNER_US      (5 * SECOND)
#define BANNER_MIN_US  (SECOND / 2)
#define PROBE_US       (3 * SECOND) /* a kernel that is busy with its last words may be slow */
#define PROBE_BOOT_US  (1 * SECOND)
#define STATUS_US      (1 * SECOND) /* between two looks at the power */
#define POWER_LIMIT_US (60 * SECOND)
#define FLAPS_MAX      20
#define WARNINGS_MAX   100

/* --- the session --- */

void link_watch(struct drive *d, int64_t in_us)
{
	if (d->link_late.at_us == 0 && !d->world.late)
		loop_arm(d->loop, &d->link_late, in_us);
}

static void session_over(struct drive *d)
{
	d->world.link_up = d->world.ready = d->world.proved = false;
	d->world.proof_code = NULL;
	d->world.boot_id[0] = '\0';
	d->world.cancel_sent = false;
	if (d->world.worker == WORKER_FOLLOWED)
		d->world.worker = WORKER_UNKNOWN;
}

static void link_up(void *arg)
{
	struct drive *d = arg;

	d->world.link_up = true;
	d->world.machine = MACHINE_UNKNOWN;
	d->link_backoff_us = BACKOFF_US;
	if (!d->record)
		return;
	d->boots_seen = (int64_t)d->console.boots;
	/* It is back, unless this is the kernel that was to go; what comes next has limits of its own. */
	if (!*d->old_boot) {
		d->world.late = false;
		d->link_late.at_us = 0;
	}
	if (!d->lost)
		return;
	d->lost = false;
	if (d->record->attempt.stage >= STAGE_TEST)
		(void)drive_put(d, "reconnected",
		                json_pack("{s:o}", "detail",
		                          drive_text(d->last_error, strlen(d->last_error))));
	drive_say(d, "connected again after: %s", d->last_error);
}

static void link_down(void *arg, const char *fault, const struct err *err)
{
	struct drive *d = arg;
	bool was_up = d->world.link_up;

	if (was_up)
		d->away_us = d->loop->mono_us;
	if (strcmp(d->last_error, err->text) != 0)
		drive_say(d, "%s: %s", fault, err->text);
	(void)snprintf(d->last_error, sizeof(d->last_error), "%s", err->text);
	d->lost |= was_up;
	follow_drop(&d->follow, true);
	prepare_forget(&d->prepare, true);
	collect_forget(&d->collect, true);
	session_over(d);
	if (strcmp(fault, "host-key-mismatch") == 0 || strcmp(fault, "ssh-auth") == 0)
		drive_fault(d, fault, "%s", err->text);
	if (was_up && ++d->flaps > FLAPS_MAX)
		drive_fault(d, "ssh-lost", "lost %u times without a result in between: %s",
		            d->flaps, err->text);
	if (!d->record) {
		if (was_up || d->checking)
			drive_hint(d, d->method->starts ? "idle" : "unreachable", err->text);
		d->checking = d->check_sent = false;
		return;
	}
	loop_arm(d->loop, &d->link_again, d->link_backoff_us);
	d->link_backoff_us *= 2;
	if (d->link_backoff_us > BACKOFF_MAX_US)
		d->link_backoff_us = BACKOFF_MAX_US;
	if (!d->board->power.command[POWER_STATUS] || d->child_job != CHILD_FREE ||
	    d->loop->mono_us < d->status_us)
		return;
	d->status_us = d->loop->mono_us + STATUS_US;
	(void)power_begin(d, POWER_STATUS, CHILD_STATUS);
}

void link_close(struct drive *d)
{
	d->remote->class->disconnect(d->remote);
	follow_drop(&d->follow, true);
	prepare_forget(&d->prepare, true);
	collect_forget(&d->collect, true);
	session_over(d);
	loop_arm(d->loop, &d->link_again, BACKOFF_US);
}

/* How long a board may be away: one that should be there is there; else it has its time to boot. */
static int64_t link_time(const struct drive *d)
{
	const struct record *r = d->record;

	return r->attempt.stage >= STAGE_TEST || d->method->starts ? r->request.boot_s * SECOND
	                                                           : d->times->connect_us;
}

/* How long a connection may stay without a banner. In front of a machine that boots there may be one who takes the
 * connection and asks the machine again only seconds later (QEMU's user network: after six): a new connection finds it
 * sooner. An eighth of the time that it is away already, so that a slow board is reached as well. */
static int64_t banner_time(const struct drive *d)
{
	int64_t part = (d->loop->mono_us - d->away_us) / 8;

	if (d->away_us == 0 || part > BANNER_US)
		return BANNER_US;
	return part < BANNER_MIN_US ? BANNER_MIN_US : part;
}

bool link_connect(struct drive *d)
{
	link_watch(d, link_time(d));
	if (d->child_job == CHILD_RESTART) /* whoever answers now is about to go */
		return false;
	if (d->remote->state == REMOTE_DOWN && d->link_again.at_us == 0)
		d->remote->class->connect(d->remote, banner_time(d));
	return false;
}

static void on_again(void *arg)
{
	(void)arg; /* the step behind this round connects */
}

static void on_late(void *arg)
{
	struct drive *d = arg;

	d->world.late = true;
	drive_say(d, "the board is not back in time: %s", d->last_error);
}

/* --- power and boot: one command at a time --- */

static void on_child_line(void *arg, const char *text, size_t len)
{
	struct drive *d = arg;

	drive_say(d, "| %.*s", (int)len, text);
}

/* The mark survives us: whoever quits in order switches off what was booted by a process before. */
static void mark_booted(const struct drive *d, bool booted)
{
	SCOPED_STR path = xasprintf("%s/%s.booted", d->state_dir, d->board->name);
	int fd = booted ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640) : -1;

	if (fd >= 0)
		(void)close(fd);
	if (!booted)
		(void)unlink(path);
}

static void restart_done(struct drive *d, int status)
{
	drive_say(d, "restart: exit status %d", status);
	d->world.restarted = true;
	d->world.late = false;
	d->world.machine = MACHINE_UNKNOWN;
	d->away_us = d->loop->mono_us;
	d->link_late.at_us = 0;
	link_watch(d, d->record->request.boot_s * SECOND);
}

static void power_done(void *arg, int status)
{
	struct drive *d = arg;
	enum child_job job = d->child_job;

	d->child_job = CHILD_FREE;
	if (job == CHILD_OFF) {
		mark_booted(d, false);
		d->loop->stop = true;
	} else if (job == CHILD_STATUS && d->record && !d->world.link_up) {
		d->world.machine = status == 3 ? MACHINE_OFF : MACHINE_UNKNOWN;
	} else if (job == CHILD_RESTART && d->record) {
		restart_done(d, status);
	}
}

bool power_begin(struct drive *d, enum board_power verb, enum child_job job)
{
	struct child_spec spec = {
		.argv = d->board->power.command[verb],
		.dir = d->board->dir,
		.limit_us = POWER_LIMIT_US,
		.line = verb == POWER_STATUS ? NULL : on_child_line,
		.done = power_done,
		.arg = d,
	};
	struct err err;

	if (verb != POWER_STATUS)
		drive_say(d, "power %s", board_power_name(verb));
	if (child_start(&d->child, &spec, &err) < 0) {
		log_warn("power %s: %s", board_power_name(verb), err.text);
		return false;
	}
	d->child_job = job;
	return true;
}

/* Runs in the child's done: what boot->busy fell for is handled by the next step. */
static bool boot_ended(struct drive *d)
{
	d->child_job = CHILD_FREE;
	d->world.booting = false;
	if (d->boot.failed) {
		drive_fault(d, "boot-command-failed", "%s", d->boot.detail);
		return true;
	}
	console_forget(&d->console);
	mark_booted(d, true);
	d->world.booted = true;
	d->world.late = false;
	d->away_us = d->loop->mono_us;
	d->link_again.at_us = 0;
	d->link_backoff_us = BACKOFF_US;
	return true;
}

bool boot_begin(struct drive *d)
{
	const struct record *r = d->record;
	struct err err;

	if (d->child_job == CHILD_BOOT)
		return d->boot.busy ? false : boot_ended(d);
	if (d->child_job != CHILD_FREE)
		return false;
	if (d->prepare.facts)
		(void)snprintf(d->old_boot, sizeof(d->old_boot), "%s",
		               json_string_value(json_object_get(d->prepare.facts, "boot_id")));
	link_close(d);
	console_forget(&d->console);
	d->lost = false;
	d->world.machine = MACHINE_UNKNOWN;
	d->link_late.at_us = 0;
	link_watch(d, r->request.boot_s * SECOND);
	d->boot = (struct boot){
		.board = d->board,
		.request = &r->request,
		.child = &d->child,
		.limit_us = r->request.boot_s * SECOND,
		.say = on_child_line,
		.arg = d,
	};
	drive_say(d, "booting %s", r->request.build_name);
	if (d->method->begin(&d->boot, &err) < 0) {
		drive_fault(d, "boot-command-failed", "%s", err.text);
		return true;
	}
	d->child_job = CHILD_BOOT;
	d->world.booting = true;
	return false;
}

bool power_restart(struct drive *d)
{
	if (d->child_job != CHILD_FREE)
		return false;
	/* A kernel that still answers while its power is cycled is not the new one. */
	(void)snprintf(d->old_boot, sizeof(d->old_boot), "%s", d->world.boot_id);
	link_close(d);
	if (!d->board->power.command[POWER_CYCLE]) {
		/* The boot command is the only switch there is. */
		d->world.restarted = true;
		d->world.late = false;
		d->world.machine = MACHINE_UNKNOWN;
		return boot_begin(d);
	}
	console_forget(&d->console);
	if (!power_begin(d, POWER_CYCLE, CHILD_RESTART))
		drive_fault(d, "board-lost", "the power cycle cannot be run");
	return false;
}

/* --- the console --- */

static void console_said(void *arg, const char *text, size_t len)
{
	struct drive *d = arg;
	struct caplog *log = d->record ? d->record->console_log : d->console_log;

	if (log)
		(void)caplog_line(log, d->loop->wall_us, text, len, NULL);
	if (d->record && d->world.link_up && (int64_t)d->console.boots != d->boots_seen) {
		/* It boots, so the session is of a kernel that is gone; TCP may not know that for long. */
		d->boots_seen = (int64_t)d->console.boots;
		d->remote->class->probe(d->remote, PROBE_BOOT_US);
	}
}

static void console_complained(void *arg, enum kwarn_kind kind, const char *text, size_t len)
{
	struct drive *d = arg;
	const struct attempt *a = d->record ? &d->record->attempt : NULL;
	json_t *id;

	if (!a || a->ended || ++d->console_warnings > WARNINGS_MAX)
		return;
	id = a->current < 0 ? json_null()
	                    : json_integer((json_int_t)d->record->request.tests[a->current].id);
	(void)drive_put(d, "kernel-warning",
	                json_pack("{s:o, s:s, s:s, s:o, s:I}", "id", id, "kind", kwarn_name(kind),
	                          "source", "console", "text", drive_text(text, len), "leg",
	                          (json_int_t)a->leg));
	drive_say(d, "the kernel complains (%s), see the console log", kwarn_name(kind));
	if (kwarn_fatal(kind) && d->world.link_up)
		d->remote->class->probe(d->remote, PROBE_US);
}

static void console_state(void *arg, bool open, const char *why)
{
	struct drive *d = arg;

	drive_say(d, "console %s%s%s", open ? "open" : "lost", *why ? ": " : "", why);
}

const struct console_events link_console_events = {
	.line = console_said,
	.complaint = console_complained,
	.state = console_state,
};

void link_init(struct drive *d)
{
	d->link_backoff_us = BACKOFF_US;
	d->link_again = (struct loop_timer){.fn = on_again, .arg = d};
	d->link_late = (struct loop_timer){.fn = on_late, .arg = d};
	loop_add_timer(d->loop, &d->link_again);
	loop_add_timer(d->loop, &d->link_late);
	d->remote->events = (struct remote_events){.up = link_up, .down = link_down, .arg = d};
}
