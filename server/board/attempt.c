#include "server/board/attempt.h"

#include "common/err.h"
#include "common/xalloc.h"
#include "server/board/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const stage_names[] = {
	[STAGE_NEW] = "accepted", [STAGE_PROVISION] = "provision", [STAGE_BOOT] = "boot",
	[STAGE_PROVE] = "prove",  [STAGE_TEST] = "test",           [STAGE_COLLECT] = "collect",
};

const char *stage_name(enum stage stage)
{
	return stage_names[stage];
}

void attempt_init(struct attempt *a, const struct request *request)
{
	*a = (struct attempt){.request = request, .current = -1};
	a->tests = xcalloc(request->count, sizeof(*a->tests));
}

static void forget_file(struct attempt_file *f)
{
	free(f->path);
	*f = (struct attempt_file){0};
}

void attempt_release(struct attempt *a)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		forget_file(&a->files[i]);
	free(a->tests);
	a->tests = NULL;
}

/* --- events --- */

static int64_t int_of(const json_t *event, const char *name)
{
	return json_integer_value(json_object_get(event, name));
}

static const char *text_of(const json_t *event, const char *name)
{
	const char *text = json_string_value(json_object_get(event, name));

	return text ? text : "";
}

static void copy_boot(char to[65], const char *from)
{
	size_t len = strnlen(from, 64);

	(void)memcpy(to, from, len);
	to[len] = '\0';
}

/* Each event has a check, which refuses, and an update, which cannot fail behind it. */

static unsigned stage_of(const json_t *event)
{
	for (unsigned i = STAGE_PROVISION; i <= STAGE_COLLECT; i++)
		if (strcmp(stage_names[i], text_of(event, "stage")) == 0)
			return i;
	return STAGE_NEW;
}

static int check_none(const struct attempt *a, const json_t *event, struct err *err)
{
	(void)a;
	(void)event;
	(void)err;
	return 0;
}

static int check_stage(const struct attempt *a, const json_t *event, struct err *err)
{
	(void)a;
	return stage_of(event) == STAGE_NEW ? err_set(err, ERR_PROTOCOL, "no such stage") : 0;
}

static int check_leg(const struct attempt *a, const json_t *event, struct err *err)
{
	return int_of(event, "leg") != a->leg + 1 ? err_set(err, ERR_PROTOCOL, "leg: out of order")
	                                          : 0;
}

static int check_test(const struct attempt *a, const json_t *event, struct err *err)
{
	ptrdiff_t at = request_find(a->request, int_of(event, "id"));

	if (at < 0)
		return err_set(err, ERR_PROTOCOL, "%s: not in the plan", text_of(event, "ev"));
	if (a->tests[at].finished)
		return err_set(err, ERR_PROTOCOL, "%s: this test is finished",
		               text_of(event, "ev"));
	return 0;
}

/* Of records, only those of files change what is to be done. NULL: it is another one. */
static const json_t *file_of(const json_t *event)
{
	const json_t *record = json_object_get(event, "record");

	return strcmp(text_of(record, "type"), "file") == 0 ? record : NULL;
}

/* What only a build run says: to a test run such a record is nothing. */
static bool of_build(const json_t *event)
{
	const char *type = text_of(json_object_get(event, "record"), "type");

	return strcmp(type, "file") == 0 || strcmp(type, "build") == 0 ||
	       strcmp(type, "failure") == 0 || strcmp(type, "commit") == 0;
}

static int check_record(const struct attempt *a, const json_t *event, struct err *err)
{
	const json_t *record = file_of(event);
	enum build_role role = build_role_parse(text_of(record, "role"));

	if (check_test(a, event, err) < 0)
		return -1;
	if (of_build(event) && !a->request->builds)
		return err_set(err, ERR_PROTOCOL, "%s: this run does not build",
		               text_of(json_object_get(event, "record"), "type"));
	if (!record)
		return 0;
	if (role == ROLE_COUNT || a->files[role].path)
		return err_set(err, ERR_PROTOCOL, "file: no such role, or a second file of it");
	return 0;
}

static int check_file(const struct attempt *a, const json_t *event, struct err *err)
{
	enum build_role role = build_role_parse(text_of(event, "role"));
	const struct attempt_file *f = role == ROLE_COUNT ? NULL : &a->files[role];

	if (!f || !f->path || f->have || strcmp(f->sha256, text_of(event, "sha256")) != 0 ||
	    f->size != int_of(event, "size"))
		return err_set(err, ERR_PROTOCOL, "file: not one that is to be fetched");
	return 0;
}

static void apply_none(struct attempt *a, const json_t *event)
{
	(void)a;
	(void)event;
}

static void apply_stage(struct attempt *a, const json_t *event)
{
	a->stage = (enum stage)stage_of(event);
	if (a->stage == STAGE_TEST && a->test_wall_us == 0)
		a->test_wall_us = int_of(event, "t");
}

static void apply_proved(struct attempt *a, const json_t *event)
{
	copy_boot(a->proved_boot, text_of(event, "boot_id"));
}

/* The leg before ended in the middle of a test that is still planned: its agent died in it. */
static void apply_leg(struct attempt *a, const json_t *event)
{
	if (a->current >= 0)
		a->tests[a->current].deaths++;
	if (a->leg > 0)
		a->idle_legs++;
	a->current = -1;
	a->crashed = false;
	a->leg++;
	a->off = 0;
	copy_boot(a->leg_boot, text_of(event, "boot_id"));
}

static void apply_started(struct attempt *a, const json_t *event)
{
	a->current = request_find(a->request, int_of(event, "id"));
	a->crashed = false;
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		if (a->files[i].path && a->files[i].test == int_of(event, "id"))
			forget_file(&a->files[i]);
}

static void apply_record(struct attempt *a, const json_t *event)
{
	const json_t *record = file_of(event);
	struct attempt_file *f;

	if (!record)
		return;
	f = &a->files[build_role_parse(text_of(record, "role"))];
	f->path = xstrdup(text_of(record, "path"));
	(void)snprintf(f->sha256, sizeof(f->sha256), "%s", text_of(record, "sha256"));
	f->size = int_of(record, "size");
	f->test = int_of(event, "id");
}

static void apply_file(struct attempt *a, const json_t *event)
{
	a->files[build_role_parse(text_of(event, "role"))].have = true;
}

static void apply_finished(struct attempt *a, const json_t *event)
{
	ptrdiff_t at = request_find(a->request, int_of(event, "id"));

	a->tests[at].finished = true;
	a->finished++;
	a->idle_legs = 0;
	if (a->current != at)
		return;
	a->current = -1;
	a->crashed = false;
}

static void apply_warning(struct attempt *a, const json_t *event)
{
	const char *kind = text_of(event, "kind");

	/* What a builder's own kernel says is no result of the kernel that it makes. */
	if (a->current >= 0 && !a->request->builds &&
	    (strcmp(kind, "oops") == 0 || strcmp(kind, "panic") == 0))
		a->crashed = true;
}

static void apply_ended(struct attempt *a, const json_t *event)
{
	a->ended = true;
	a->ended_well = strcmp(text_of(event, "outcome"), "fault") != 0;
}

static const struct row {
	const char *name;
	int (*check)(const struct attempt *a, const json_t *event, struct err *err);
	void (*apply)(struct attempt *a, const json_t *event);
} rows[] = {
	{"accepted", check_none, apply_none},
	{"stage", check_stage, apply_stage},
	{"progress", check_none, apply_none},
	{"proved", check_none, apply_proved},
	{"leg", check_leg, apply_leg},
	{"reconnected", check_none, apply_none},
	{"test-started", check_test, apply_started},
	{"test-record", check_record, apply_record},
	{"test-finished", check_test, apply_finished},
	{"kernel-warning", check_none, apply_warning},
	{"file", check_file, apply_file},
	{"note", check_none, apply_none},
	{"ended", check_none, apply_ended},
};

static const struct row *row_of(const json_t *event)
{
	const char *name = text_of(event, "ev");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

int attempt_check(const struct attempt *a, const json_t *event, struct err *err)
{
	const struct row *row = row_of(event);

	if (!row)
		return err_set(err, ERR_PROTOCOL, "no such event: %.64s", text_of(event, "ev"));
	if (a->ended)
		return err_set(err, ERR_PROTOCOL, "%s behind ended", row->name);
	return row->check(a, event, err);
}

int attempt_apply(struct attempt *a, const json_t *event, struct err *err)
{
	json_t *off = json_object_get(event, "off");
	const struct row *row = row_of(event);

	if (attempt_check(a, event, err) < 0 || !row)
		return -1;
	row->apply(a, event);
	if (json_is_integer(off) && int_of(event, "leg") == a->leg)
		a->off = (uint64_t)json_integer_value(off);
	a->n++;
	return 0;
}

/* --- what to do next --- */

static struct action act(enum act act)
{
	return (struct action){.act = act};
}

static struct action to_stage(enum stage stage)
{
	return (struct action){.act = ACT_STAGE, .stage = stage};
}

static struct action end(const char *outcome)
{
	return (struct action){.act = ACT_END, .outcome = outcome};
}

static struct action fault(const char *code)
{
	return (struct action){.act = ACT_END, .outcome = "fault", .fault = code};
}

/* The machine is away in a test. Silence is waited out until the deadline; power that is off explains itself; an
 * oops or panic since the test began outranks both, and then the machine is started again. */
static struct action next_away(const struct attempt *a, const struct world *w)
{
	if (!w->late && w->machine != MACHINE_OFF)
		return act(ACT_LINK);
	if (a->crashed && w->can_restart && !w->restarted)
		return act(ACT_RESTART);
	if (a->crashed)
		return act(ACT_CRASHED);
	return fault(w->machine == MACHINE_OFF ? "power-lost" : "board-lost");
}

/* A leg may begin when this session's kernel is the build. */
static struct action next_begin(const struct attempt *a, const struct world *w)
{
	if (w->proved)
		return act(strcmp(a->proved_boot, w->boot_id) != 0 ? ACT_PROVED : ACT_LEG);
	/* It came back with another kernel, as boards do that boot their own one after a crash. */
	if (w->boots && !w->booted)
		return act(ACT_BOOT);
	return fault(w->proof_code ? w->proof_code : "internal");
}

/* The leg's journal is read to its end and nobody writes it any more. A builder that went down failed no build: the step is
 * run again. */
static struct action next_leg(const struct attempt *a, const struct world *w)
{
	bool rebooted = strcmp(a->leg_boot, w->boot_id) != 0;

	if (a->current >= 0 && rebooted && !a->request->builds)
		return act(ACT_CRASHED);
	if (a->current >= 0 && a->tests[a->current].deaths + 1 >= TEST_DEATHS)
		return act(ACT_DIED);
	if (a->current < 0 && a->idle_legs + 1 >= TEST_DEATHS)
		return fault(rebooted ? "board-lost" : "agent-died");
	return next_begin(a, w);
}

/* The kernel lives on behind an oops, but what it says of the other tests proves nothing: they get a new boot. */
static struct action next_fresh(const struct attempt *a, const struct world *w)
{
	if (strcmp(a->leg_boot, w->boot_id) != 0)
		return next_leg(a, w);
	if (!w->can_restart) /* it was not asked to stop */
		return fault("agent-protocol");
	if (w->booted || w->restarted)
		return fault("board-lost");
	return act(w->boots ? ACT_BOOT : ACT_RESTART);
}

/* A wish to end the worker: by cohortd, or because the run's time is over. */
static struct action next_stopping(const struct attempt *a, const struct world *w)
{
	struct action over = w->cancel ? end("cancelled") : fault("run-timeout");

	if (a->leg == 0 || w->cancel_late)
		return over;
	if (w->worker != WORKER_UNKNOWN && w->worker != WORKER_FOLLOWED)
		return over;
	if (!w->link_up)
		return w->late || w->machine == MACHINE_OFF ? over : act(ACT_LINK);
	if (!w->ready)
		return act(ACT_READY);
	if (!w->cancel_sent)
		return act(ACT_CANCEL);
	return act(w->worker == WORKER_UNKNOWN ? ACT_FOLLOW : ACT_WAIT);
}

static struct action next_test(const struct attempt *a, const struct world *w)
{
	if (a->finished == a->request->count) /* its last words may be the kernel's, too */
		return w->worker == WORKER_FOLLOWED && !w->run_late && !w->cancel
		               ? act(ACT_WAIT)
		               : to_stage(STAGE_COLLECT);
	if (w->cancel || w->run_late)
		return next_stopping(a, w);
	if (w->booting)
		return act(ACT_BOOT);
	if (!w->link_up)
		return next_away(a, w);
	if (!w->ready)
		return act(ACT_READY);
	if (a->leg == 0)
		return next_begin(a, w);
	switch (w->worker) {
	case WORKER_FOLLOWED:
		return act(ACT_WAIT);
	case WORKER_UNKNOWN:
		return act(a->off == 0 && strcmp(a->leg_boot, w->boot_id) == 0 ? ACT_RUN
		                                                               : ACT_FOLLOW);
	case WORKER_GONE:
		return next_leg(a, w);
	case WORKER_STOPPED:
		return next_fresh(a, w);
	case WORKER_COMPLETE:
		return fault("agent-protocol");
	case WORKER_CANCELLED:
	case WORKER_ERROR:
		break;
	}
	return fault("agent-failed");
}

enum build_role attempt_wanted(const struct attempt *a)
{
	unsigned i = 0;

	while (i < ROLE_COUNT && (!a->files[i].path || a->files[i].have))
		i++;
	return (enum build_role)i;
}

static struct action next_collect(const struct attempt *a, const struct world *w)
{
	if (attempt_wanted(a) == ROLE_COUNT)
		return end("complete");
	if (w->cancel)
		return end("cancelled");
	if (w->run_late)
		return fault("run-timeout");
	if (w->link_up)
		return act(ACT_COLLECT);
	if (w->machine == MACHINE_OFF)
		return fault("power-lost");
	return w->late ? fault("board-lost") : act(ACT_LINK);
}

/* Before the tests: what is wrong here ends the attempt. */
static struct action next_early(const struct attempt *a, const struct world *w)
{
	if (a->stage == STAGE_NEW)
		return to_stage(w->boots ? STAGE_BOOT : STAGE_PROVISION);
	if (a->stage == STAGE_BOOT && w->boots && !w->booted)
		return act(ACT_BOOT);
	if (!w->link_up && w->machine == MACHINE_OFF)
		return fault("power-lost");
	if (!w->link_up && w->late)
		return fault(w->boots ? "boot-timeout" : "ssh-connect");
	if (!w->link_up)
		return act(ACT_LINK);
	if (a->stage == STAGE_BOOT)
		return to_stage(STAGE_PROVISION);
	if (!w->ready)
		return act(ACT_READY);
	if (a->stage == STAGE_PROVISION)
		return to_stage(STAGE_PROVE);
	if (!w->proved)
		return fault(w->proof_code ? w->proof_code : "internal");
	return strcmp(a->proved_boot, w->boot_id) != 0 ? act(ACT_PROVED) : to_stage(STAGE_TEST);
}

struct action attempt_next(const struct attempt *a, const struct world *w)
{
	if (a->ended)
		return act(ACT_WAIT);
	if (w->fault)
		return fault(w->fault);
	if (a->stage == STAGE_COLLECT)
		return next_collect(a, w);
	if (a->stage == STAGE_TEST)
		return next_test(a, w);
	return w->cancel ? end("cancelled") : next_early(a, w);
}
