/* drive_ops.c - what cohortd asks for. */
#include "server/board/drive_private.h"

#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <string.h>
#include <unistd.h>

static bool is_current(const struct drive *d, int64_t run, int64_t attempt)
{
	return d->record && d->record->request.run == run && d->record->request.attempt == attempt;
}

static void world_begin(struct drive *d)
{
	struct world *w = &d->world;
	bool up = d->remote->state == REMOTE_UP;

	*w = (struct world){
		.boots = d->method->starts,
		.can_restart = drive_can_restart(d),
		.link_up = up,
	};
	d->fault_detail[0] = d->last_error[0] = d->worker_detail[0] = d->old_boot[0] = '\0';
	d->lost = d->noted_oops = false;
	/* A process before this one may have booted it just now. */
	d->away_us = d->method->starts ? d->loop->mono_us : 0;
	d->status_us = 0;
	d->flaps = d->follow_tries = d->console_warnings = 0;
	d->boots_seen = (int64_t)d->console.boots;
	d->told = 0;
	follow_reset(&d->follow, 0);
	d->follow.total = 0;
}

static int open_record(struct drive *d, const char *dir, int64_t run, int64_t attempt,
                       int64_t fence, struct err *err)
{
	d->record = record_open(dir, err);
	if (!d->record)
		return -1;
	/* The lab owner's limit for this board; a job may only ask for less. */
	if (d->record->request.boot_s > d->board->boot.time_limit_s)
		d->record->request.boot_s = d->board->boot.time_limit_s;
	if (d->record->request.run == run && d->record->request.attempt == attempt &&
	    d->record->request.fence == fence)
		return 0;
	record_close(d->record);
	d->record = NULL;
	return err_set(err, ERR_CONFLICT,
	               "%s/request.json is not of run %lld, attempt %lld, fence %lld", dir,
	               (long long)run, (long long)attempt, (long long)fence);
}

int drive_run(struct drive *d, const char *dir, int64_t run, int64_t attempt, int64_t fence,
              struct err *err)
{
	if (is_current(d, run, attempt)) {
		d->told = 0; /* say it again */
		return 0;
	}
	if (d->record) {
		if (fence <= d->record->request.fence)
			return err_set(err, ERR_CONFLICT, "run %lld is under way with fence %lld",
			               (long long)d->record->request.run,
			               (long long)d->record->request.fence);
		drive_fault(d, "lease-lost", "run %lld holds the board with fence %lld",
		            (long long)run, (long long)fence);
		drive_step(d);
	}
	if (open_record(d, dir, run, attempt, fence, err) < 0)
		return -1;
	world_begin(d);
	if (d->record->attempt.ended)
		return 0;
	drive_hint(d, "busy", "");
	if (d->record->attempt.n == 0)
		(void)drive_put(d, "accepted",
		                json_pack("{s:I, s:I, s:I, s:I}", "run", (json_int_t)run, "attempt",
		                          (json_int_t)attempt, "fence", (json_int_t)fence, "pid",
		                          (json_int_t)getpid()));
	else
		drive_say(d, "cohort-board was started again: going on");
	if (d->record->attempt.test_wall_us != 0) {
		int64_t used = d->loop->wall_us - d->record->attempt.test_wall_us;

		loop_arm(d->loop, &d->run_late, d->record->request.run_s * SECOND - used);
	}
	return 0;
}

void drive_cancel(struct drive *d, int64_t run, int64_t attempt)
{
	if (!is_current(d, run, attempt) || d->world.cancel)
		return;
	d->world.cancel = true;
	drive_say(d, "cancelled");
	loop_arm(d->loop, &d->cancel_late, d->times->cancel_us);
}

void drive_clean(struct drive *d, int64_t run, int64_t attempt)
{
	if (d->record || d->last_run != run || d->last_attempt != attempt || d->last_legs == 0)
		return;
	if (d->world.link_up)
		agent_forget(d, "clean", 1, d->last_legs);
	d->last_legs = 0;
}

/* --- health --- */

void drive_check(struct drive *d)
{
	if (d->record)
		drive_hint(d, "busy", "");
	else if (d->method->starts) /* there is nothing to reach before the first boot */
		drive_hint(d, "idle", "");
	else
		d->checking = true;
}

static void check_out(void *arg, const char *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
}

static void check_done(void *arg, int status, const char *complaint, const struct err *err)
{
	struct drive *d = arg;

	(void)complaint;
	if (!d->checking || (err && err->kind == ERR_CLOSED))
		return; /* link_down() answers */
	d->checking = d->check_sent = false;
	if (err) {
		drive_hint(d, "unreachable", err->text);
		return;
	}
	drive_hint(d, status == 0 ? "idle" : "unreachable",
	           status == 0 ? "" : "a shell command failed on the board");
}

/* One round trip proves it; connecting comes first. A failed connection answers as well: see link_down(). */
void check_step(struct drive *d)
{
	struct remote_exec exec = {
		.command = "exec true",
		.limit_us = d->times->check_us,
		.out = check_out,
		.done = check_done,
		.arg = d,
	};

	if (!d->checking || d->check_sent)
		return;
	if (d->record) {
		d->checking = false;
	} else if (d->remote->state == REMOTE_UP) {
		d->check_sent = true;
		(void)d->remote->class->exec(d->remote, &exec);
	} else if (d->remote->state == REMOTE_DOWN) {
		d->remote->class->connect(d->remote, 5 * SECOND);
	}
}

void drive_quit(struct drive *d)
{
	SCOPED_STR mark = xasprintf("%s/%s.booted", d->state_dir, d->board->name);

	if (d->quitting)
		return;
	d->quitting = true;
	if (d->board->power.off_at_quit && access(mark, F_OK) == 0) {
		child_stop(&d->child);
		if (power_begin(d, POWER_OFF, CHILD_OFF))
			return;
	}
	d->loop->stop = true;
}
