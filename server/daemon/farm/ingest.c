/* Journals into the store: what all boards have new, their states, and the ends of attempts, in one transaction with the
 * new offsets. What of a board fails takes nothing of the others with it. */
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/farm/entry.h"
#include "server/daemon/farm/farm_private.h"
#include "server/daemon/ranges/ranges.h"
#include "server/daemon/schedule/run.h"
#include "server/daemon/store/farm_boards.h"
#include "server/daemon/store/files.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

#define EVIDENCE_MAX 5000 /* rows of one attempt */
#define REASON_MAX   128
#define DETAIL_MAX   4096

/* What one board brings. */
struct brought {
	struct board *board;
	struct board_state after; /* of board, once this is committed */
	struct err refused;       /* the store does not take it, for a reason that stays */
	struct run_state run;     /* when it ended */
	bool ended, good, is_refused, finished; /* finished: a test */
};

struct ingest {
	struct brought *list; /* owned */
	size_t count;
};

static int64_t entry_time(const struct farm *farm, const struct entry *e)
{
	return e->t > 0 && e->t <= farm->wall ? e->t : farm->wall;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- An entry each ---- */

static int put_result(struct db *db, const struct attempt_ref *ref, struct attempt_result *r,
                      struct err *err)
{
	SCOPED_STR reason = entry_cut(r->reason, REASON_MAX);
	SCOPED_STR detail = entry_cut(r->detail, DETAIL_MAX);

	r->reason = reason;
	r->detail = detail;
	if (!r->test_kind)
		r->test_kind = "contract";
	return store_attempt_result(db, ref, r, err);
}

static int put_evidence(struct db *db, struct follow *f, const struct entry *e, const char *cell,
                        const json_t *record, struct err *err)
{
	int64_t id = e->test ? json_integer_value(json_object_get(e->test, "id")) : 0;

	if (f->evidence >= EVIDENCE_MAX)
		return 0;
	if (++f->evidence == EVIDENCE_MAX)
		log_warn("run %" PRId64
		         ": more than %d pieces of evidence, the rest is in its journal only",
		         f->ref.run, EVIDENCE_MAX);
	return store_attempt_evidence(db, &f->ref, e->test ? &id : NULL, cell, record, err);
}

static int put_note(struct db *db, struct follow *f, int64_t t, const char *text, struct err *err)
{
	SCOPED_STR cut = entry_cut(text ? text : "", DETAIL_MAX);

	return store_attempt_event(db, &f->ref, "note", t, json_pack("{s:s}", "text", cut), err);
}

static int put_record(struct db *db, struct follow *f, const struct entry *e, int64_t t,
                      struct err *err)
{
	const json_t *record = json_object_get(e->event, "record");
	const char *type = text_of(record, "type"), *cell = text_of(record, "cell");
	struct attempt_result r;

	/* What is shown as it is: a measured number is evidence of what the kernel costs. */
	if (type && f->ref.purpose != PURPOSE_TEST &&
	    (strcmp(type, "build") == 0 || strcmp(type, "failure") == 0 ||
	     strcmp(type, "commit") == 0))
		return put_evidence(db, f, e, "", record, err); /* judged when the run ends */
	if (type && (strcmp(type, "mismatch") == 0 || strcmp(type, "value") == 0))
		return put_evidence(db, f, e, cell && strlen(cell) <= 256 ? cell : "", record, err);
	if (!type || strcmp(type, "cell") != 0)
		return 0;
	if (entry_cell(e, &r)) {
		r.time = t;
		return put_result(db, &f->ref, &r, err);
	}
	if (f->complained)
		return 0;
	f->complained = true;
	return put_note(db, f, t, "a test program's cell record is not as docs/WIRE.md says", err);
}

static int put_finished(struct db *db, struct follow *f, const struct entry *e, int64_t t,
                        struct err *err)
{
	struct attempt_result r;

	entry_result(e, &r);
	r.time = t;
	return put_result(db, &f->ref, &r, err);
}

static int put_started(struct db *db, struct follow *f, const struct entry *e, int64_t t,
                       struct err *err)
{
	const char *name = text_of(e->test, "name");
	json_t *data;
	char started[32];

	if (store_attempt_test(db, &f->ref, name, err) < 0)
		return -1;
	time_format(t, started);
	data = json_pack("{s:s, s:O, s:s}", "test", name, "rep", json_object_get(e->test, "rep"),
	                 "started", started);
	return store_attempt_event(db, &f->ref, "test", t, data, err);
}

static int put_warning(struct db *db, struct follow *f, const struct entry *e, int64_t t,
                       struct err *err)
{
	SCOPED_STR kind = entry_cut(text_of(e->event, "kind"), 32);
	SCOPED_STR text = entry_cut(text_of(e->event, "text"), 8192);
	SCOPED_JSON record = json_pack("{s:s, s:s, s:s, s:s?}", "type", "kernel-warning", "kind",
	                               kind, "text", text, "source", text_of(e->event, "source"));

	if (put_evidence(db, f, e, "", record, err) < 0)
		return -1;
	return store_attempt_event(db, &f->ref, "warning", t,
	                           json_pack("{s:s, s:s}", "warning", kind, "text", text), err);
}

static int put_progress(struct db *db, struct follow *f, const struct entry *e, int64_t t,
                        struct err *err)
{
	SCOPED_STR stage = entry_cut(text_of(e->event, "stage"), 32);
	SCOPED_STR what = entry_cut(text_of(e->event, "what"), 256);
	json_t *data = json_pack("{s:s?, s:s?, s:I, s:I}", "stage", stage, "what", what, "done",
	                         json_integer_value(json_object_get(e->event, "done")), "total",
	                         json_integer_value(json_object_get(e->event, "total")));

	return store_attempt_event(db, &f->ref, "progress", t, data, err);
}

/* The bytes are in STATE/files (files_take()): now the store may say so. */
static int put_file(struct db *db, struct follow *f, const struct entry *e, int64_t t,
                    struct err *err)
{
	const char *sha256 = text_of(e->event, "sha256");
	int64_t size = json_integer_value(json_object_get(e->event, "size"));
	SCOPED_JSON record =
		json_pack("{s:s, s:s, s:s, s:I}", "type", "file", "role", text_of(e->event, "role"),
	                  "sha256", sha256, "size", (json_int_t)size);

	if (file_put(db, sha256, size, t, err) < 0)
		return -1;
	return put_evidence(db, f, e, "", record, err);
}

/* A fault as the store keeps it: bounded, and only the fields that it has. */
static json_t *fault_clean(const json_t *fault)
{
	SCOPED_STR code = entry_cut(text_of(fault, "code"), 40);
	SCOPED_STR stage = entry_cut(text_of(fault, "stage"), 40);
	SCOPED_STR detail = entry_cut(text_of(fault, "detail"), DETAIL_MAX);

	return json_pack("{s:s, s:s?, s:s}", "code", code ? code : "internal", "stage", stage,
	                 "detail", detail ? detail : "");
}

static int end_attempt(struct db *db, struct brought *in, const char *outcome, const json_t *fault,
                       struct err *err)
{
	struct board *b = in->board;
	SCOPED_JSON clean = fault ? fault_clean(fault) : NULL;
	SCOPED_STR text = clean ? jx_text(clean) : NULL;
	struct board_event released = {.kind = BOARD_EV_RELEASED, .now = b->farm->mono};
	bool applied;

	in->good = strcmp(outcome, "fault") != 0;
	if (store_attempt_end(db, &b->attempt->follow.ref, outcome, in->good ? NULL : text,
	                      b->farm->wall, &applied, &in->run, err) < 0)
		return -1;
	/* The lease is this attempt's as long as the farm follows it: nobody else takes leases away. */
	if (!applied)
		return err_set(err, ERR_CONFLICT, "the end of run %" PRId64 " does not apply",
		               b->attempt->follow.ref.run);
	in->ended = true;
	released.good = in->good;
	(void)board_apply(&in->after, &released);
	return 0;
}

static int put_entry(struct db *db, struct brought *in, const struct entry *e, struct err *err)
{
	struct follow *f = &in->board->attempt->follow;
	int64_t t = entry_time(in->board->farm, e);

	switch (e->kind) {
	case ENTRY_OTHER:
		return 0;
	case ENTRY_STAGE:
		return store_attempt_stage(db, &f->ref, text_of(e->event, "stage"), t, err);
	case ENTRY_PROGRESS:
		return put_progress(db, f, e, t, err);
	case ENTRY_PROVED:
		return store_attempt_facts(db, &f->ref, json_object_get(e->event, "facts"), t, err);
	case ENTRY_RECONNECTED:
		return put_note(db, f, t, text_of(e->event, "detail"), err);
	case ENTRY_STARTED:
		return put_started(db, f, e, t, err);
	case ENTRY_RECORD:
		return put_record(db, f, e, t, err);
	case ENTRY_FINISHED:
		in->finished = true;
		return put_finished(db, f, e, t, err);
	case ENTRY_WARNING:
		return put_warning(db, f, e, t, err);
	case ENTRY_NOTE:
		return put_note(db, f, t, text_of(e->event, "text"), err);
	case ENTRY_FILE:
		return put_file(db, f, e, t, err);
	case ENTRY_ENDED:
		return end_attempt(db, in, text_of(e->event, "outcome"),
		                   json_object_get(e->event, "fault"), err);
	}
	return 0;
}

/* ---- A board each ---- */

/* What ends the attempt from our side: a journal that cannot be believed, or the farm's own trouble. */
static const struct err *broken_of(const struct attempt *a, const char **code)
{
	*code = a->broken.kind != ERR_NONE ? a->broken_code : "internal";
	return a->broken.kind != ERR_NONE          ? &a->broken
	       : a->follow.broken.kind != ERR_NONE ? &a->follow.broken
	                                           : NULL;
}

static int put_broken(struct db *db, struct brought *in, const struct err *why, const char *code,
                      struct err *err)
{
	SCOPED_JSON fault =
		json_pack("{s:s, s:n, s:s}", "code", code, "stage", "detail", why->text);

	log_error("run %" PRId64 " on %s: %s: %s", in->board->attempt->follow.ref.run,
	          in->board->name, code, why->text);
	return end_attempt(db, in, "fault", fault, err);
}

static int put_attempt(struct db *db, struct brought *in, struct err *err)
{
	struct attempt *a = in->board->attempt;
	const struct err *why;
	const char *code;

	/* What waits for files is not looked at yet: its lines count in their order. */
	for (size_t i = 0; i < a->follow.count && !a->keep; i++)
		if (put_entry(db, in, &a->follow.entries[i], err) < 0)
			return -1;
	if (a->follow.count > 0 && !a->keep &&
	    store_attempt_offset(db, &a->follow.ref, a->follow.next_offset, err) < 0)
		return -1;
	why = broken_of(a, &code);
	return why && !in->ended ? put_broken(db, in, why, code, err) : 0;
}

static int put_board(struct db *db, struct brought *in, struct err *err)
{
	struct board *b = in->board;
	struct board_seen seen = {.name = b->name, .facts = b->facts, .seen = b->seen};

	if (b->attempt && put_attempt(db, in, err) < 0)
		return -1;
	if (!b->dirty && !in->ended)
		return 0;
	seen.state = board_phase_name(in->after.phase);
	seen.detail = b->detail;
	return store_board_seen(db, &seen, b->farm->wall, err);
}

/* A refusal that would come again each time, against a store that cannot write now. */
static bool refusal_stays(const struct err *err)
{
	return err->kind == ERR_CONFLICT || err->kind == ERR_INVALID || err->kind == ERR_TOOBIG ||
	       err->kind == ERR_NOTFOUND;
}

static int ingest_write(struct db *db, void *arg, struct err *err)
{
	struct ingest *in = arg;

	for (size_t i = 0; i < in->count; i++) {
		struct brought *one = &in->list[i];

		one->after = one->board->state;
		if (db_exec(db, err, NULL, "SAVEPOINT board", "") < 0)
			return -1;
		if (put_board(db, one, err) < 0) {
			if (!refusal_stays(err))
				return -1;
			one->refused = *err;
			one->is_refused = true;
			one->ended = false;
			if (db_exec(db, err, NULL, "ROLLBACK TO board", "") < 0)
				return -1;
		}
		if (db_exec(db, err, NULL, "RELEASE board", "") < 0)
			return -1;
	}
	return 0;
}

/* ---- Behind the commit ---- */

static void attempt_done(struct brought *in)
{
	struct board *b = in->board;
	struct attempt *a = b->attempt;
	int64_t run = a->follow.ref.run;

	if (!in->good && !a->follow.ended)
		process_send(b, "cancel", &a->follow.ref, NULL); /* it does not know of its end */
	process_send(b, "release", &a->follow.ref, NULL);
	b->farm->decide = true;
	if (a->follow.ref.purpose != PURPOSE_TEST) {
		files_drop(a->dir);
		builder_ended(b->farm, run);
		if (a->follow.ref.purpose == PURPOSE_GIT && b->farm->config.ranges)
			ranges_kick(b->farm->config.ranges);
	}
	b->attempt = NULL;
	attempt_free(a);
	if (in->run.phase == RUN_QUEUED)
		run_requeue(b->farm, run);
}

static void board_committed(struct brought *in)
{
	struct board *b = in->board;
	struct attempt *a = b->attempt;

	if (in->is_refused) {
		log_error("board %s: the store does not take this: %s", b->name, in->refused.text);
		b->dirty = false;
		b->farm->retry_at = b->farm->mono + FARM_RETRY; /* should it be refused again */
		if (a) {
			attempt_discard(a);
			attempt_broken(a, "internal", "%s", in->refused.text);
		}
		return;
	}
	b->state = in->after;
	if (a && a->follow.count > 0 && !a->keep) {
		a->quiet_since = b->farm->mono;
		board_tell(b, BOARD_EV_WORKED, false);
	}
	if (a && in->finished)
		a->deaths = 0;
	b->dirty = b->seen = false;
	json_decref(b->facts);
	b->facts = NULL;
	if (in->ended)
		attempt_done(in);
	else if (a && !a->keep)
		follow_commit(&a->follow);
	schedule_board_idle(b->farm->schedule, b->seat, b->state.phase == BOARD_IDLE);
}

/* What the journal has that may go into the store now. */
static bool journal_wants(struct board *b)
{
	struct attempt *a = b->attempt;

	if (a->keep) {
		a->reread_at = b->farm->mono + FARM_REREAD;
		return files_ready(b) && a->follow.count > 0;
	}
	if (!b->hinted && !a->follow.more && b->farm->mono < a->reread_at)
		return a->follow.count > 0;
	b->hinted = false;
	a->reread_at = b->farm->mono + FARM_REREAD;
	if (follow_read(&a->follow, b->farm->buf) && a->follow.ref.purpose != PURPOSE_TEST)
		files_want(a, b->farm->keeper);
	return a->follow.count > 0 && !a->keep;
}

static bool board_wants(struct board *b)
{
	const char *code;

	if (!b->attempt)
		return b->dirty;
	return journal_wants(b) || b->dirty || broken_of(b->attempt, &code);
}

bool ingest_pass(struct farm *farm)
{
	struct ingest in = {0};
	struct err err;

	in.list = xcalloc(farm->boards_count, sizeof(*in.list));
	for (size_t i = 0; i < farm->boards_count; i++)
		if (board_wants(farm->boards[i]))
			in.list[in.count++].board = farm->boards[i];
	if (in.count > 0 && store_write(farm->config.store, ingest_write, &in, &err) < 0) {
		log_error("the farm: %s", err.text);
		farm->retry_at = farm->mono + FARM_RETRY;
		for (size_t i = 0; i < in.count; i++) {
			if (in.list[i].board->attempt)
				attempt_discard(in.list[i].board->attempt);
			in.list[i].board->hinted = true;
		}
		in.count = 0;
	}
	for (size_t i = 0; i < in.count; i++)
		board_committed(&in.list[i]);
	free(in.list);
	return in.count > 0;
}
