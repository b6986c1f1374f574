#include "server/daemon/store/attempts.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>

int store_attempt_ref(struct db *db, int64_t run, int64_t attempt, struct attempt_ref *ref,
                      struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		"SELECT r.job, r.build, r.col, a.board, r.cache, r.kind, r.plan, a.fence, a.\"offset\","
		" r.purpose"
		" FROM attempt a JOIN run r ON r.id = a.run WHERE a.run = $1 AND a.attempt = $2",
		"ii", run, attempt);
	int rc = db_step(db, stmt, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "there is no attempt %" PRId64 ".%" PRId64, run,
		               attempt);
	*ref = (struct attempt_ref){
		.run = run,
		.attempt = attempt,
		.job = db_int(stmt, 0),
		.build = db_int(stmt, 1),
		.column = db_int(stmt, 2),
		.board = xstrdup(db_text(stmt, 3)),
		.cache = xstrdup(db_text(stmt, 4)),
		.kind = xstrdup(db_text(stmt, 5)),
		.plan = json_loads(db_text(stmt, 6), 0, NULL),
		.fence = db_int(stmt, 7),
		.offset = db_int(stmt, 8),
	};
	if (!run_purpose_parse(db_text(stmt, 9), &ref->purpose))
		return err_set(err, ERR_IO, "run %" PRId64 " has the purpose '%s'", run,
		               db_text(stmt, 9));
	return 0;
}

void attempt_ref_release(struct attempt_ref *ref)
{
	free(ref->board);
	free(ref->cache);
	free(ref->kind);
	json_decref(ref->plan);
	*ref = (struct attempt_ref){0};
}

int store_attempt_finished(struct db *db, const struct attempt_ref *ref, store_finished_fn *fn,
                           void *arg, struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db, "SELECT test_id FROM result WHERE run = $1 AND attempt = $2 AND cell = ''",
		"ii", ref->run, ref->attempt);
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		if (fn(arg, db_int(stmt, 0)) < 0)
			break;
	return rc < 0 ? -1 : 0;
}

int store_attempt_offset(struct db *db, const struct attempt_ref *ref, int64_t offset,
                         struct err *err)
{
	return db_exec(db, err, NULL,
	               "UPDATE attempt SET \"offset\" = $3 WHERE run = $1 AND attempt = $2", "iii",
	               ref->run, ref->attempt, offset);
}

int store_attempt_stage(struct db *db, const struct attempt_ref *ref, const char *stage,
                        int64_t now, struct err *err)
{
	if (db_exec(db, err, NULL, "UPDATE attempt SET state = $3 WHERE run = $1 AND attempt = $2",
	            "iis", ref->run, ref->attempt, stage) < 0 ||
	    db_exec(db, err, NULL, "UPDATE run SET stage = $2 WHERE id = $1", "is", ref->run,
	            stage) < 0)
		return -1;
	return store_run_event(db, ref->run, now, err);
}

int store_attempt_facts(struct db *db, const struct attempt_ref *ref, const json_t *facts,
                        int64_t now, struct err *err)
{
	SCOPED_STR text = jx_text(facts);

	if (db_exec(db, err, NULL, "UPDATE attempt SET facts = $3 WHERE run = $1 AND attempt = $2",
	            "iis", ref->run, ref->attempt, text) < 0)
		return -1;
	return db_exec(db, err, NULL, "UPDATE board SET facts = $2, last_seen = $3 WHERE name = $1",
	               "ssi", ref->board, text, now);
}

int store_attempt_test(struct db *db, const struct attempt_ref *ref, const char *name,
                       struct err *err)
{
	return db_exec(db, err, NULL, "UPDATE run SET current_test = $2 WHERE id = $1", "is",
	               ref->run, name);
}

int store_attempt_event(struct db *db, const struct attempt_ref *ref, const char *kind, int64_t now,
                        json_t *data, struct err *err)
{
	int64_t job = ref->job;

	if (ref->purpose == PURPOSE_BUILD) {
		sqlite3_stmt *stmt =
			db_query(db, "SELECT job FROM run WHERE id = $1", "i", ref->run);

		if (db_step(db, stmt, err) == 1)
			job = db_int(stmt, 0);
	}
	return db_event(db, now, kind, job, ref->run, ref->board, data, err);
}

/* The event's own id, kind, time, job, run and board are its first members: the result's id and its board's kind need
 * names of their own. */
static int result_tell(struct db *db, const struct attempt_ref *ref, const struct attempt_result *r,
                       struct err *err)
{
	json_t *data = json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:I, s:n, s:s, s:s, s:s?, s:s?}",
	                         "result", (json_int_t)db_last_id(db), "build",
	                         (json_int_t)ref->build, "column", (json_int_t)ref->column, "cache",
	                         ref->cache, "board_kind", ref->kind, "test", r->test, "rep",
	                         (json_int_t)r->rep, "cell", "test_kind", r->test_kind, "verdict",
	                         r->verdict, "reason", r->reason, "detail", r->detail);
	json_t *rest = json_pack("{s:I, s:I, s:I, s:s?, s:I, s:I}", "trials", (json_int_t)r->trials,
	                         "bad", (json_int_t)r->bad, "masked", (json_int_t)r->masked,
	                         "class", r->fault_class, "duration_us", (json_int_t)r->duration_us,
	                         "attempt", (json_int_t)ref->attempt);

	(void)json_object_update_new(data, rest);
	return store_attempt_event(db, ref, "result", r->time, data, err);
}

int store_attempt_result(struct db *db, const struct attempt_ref *ref,
                         const struct attempt_result *r, struct err *err)
{
	int64_t changed;

	if (db_exec(db, err, &changed,
	            "INSERT INTO result (run, attempt, test_id, test, rep, cell, test_kind, verdict,"
	            " reason, detail, trials, bad, masked, fault_class, duration_us, time)"
	            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
	            " ON CONFLICT (run, attempt, test_id, cell) DO NOTHING",
	            "iiisisssssiiisii", ref->run, ref->attempt, r->test_id, r->test, r->rep,
	            r->cell, r->test_kind, r->verdict, r->reason, r->detail, r->trials, r->bad,
	            r->masked, r->fault_class, r->duration_us, r->time) < 0)
		return -1;
	if (!changed || *r->cell)
		return 0;
	if (result_tell(db, ref, r, err) < 0)
		return -1;
	return db_exec(db, err, NULL,
	               "UPDATE run SET arrived = arrived + 1, current_test = NULL WHERE id = $1",
	               "i", ref->run);
}

int store_attempt_evidence(struct db *db, const struct attempt_ref *ref, const int64_t *test_id,
                           const char *cell, const json_t *record, struct err *err)
{
	SCOPED_STR text = jx_text(record);

	return db_exec(db, err, NULL,
	               "INSERT INTO evidence (run, attempt, test_id, cell, record)"
	               " VALUES ($1, $2, $3, $4, $5)",
	               "iiIss", ref->run, ref->attempt, test_id, cell, text);
}

int store_attempt_evidence_count(struct db *db, const struct attempt_ref *ref, int64_t *count,
                                 struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(db, "SELECT count(*) FROM evidence WHERE run = $1 AND attempt = $2", "ii",
	                 ref->run, ref->attempt);

	if (db_step(db, stmt, err) < 1)
		return -1;
	*count = db_int(stmt, 0);
	return 0;
}

int store_attempt_end(struct db *db, const struct attempt_ref *ref, const char *outcome,
                      const char *fault, int64_t now, bool *applied, struct run_state *state,
                      struct err *err)
{
	struct run_change change = {
		.event = {.kind = RUN_EV_ENDED, .now = now, .fence = ref->fence}, .fault = fault};

	if (!run_outcome_parse(outcome, &change.event.outcome))
		return err_set(err, ERR_INVALID, "outcome '%s'", outcome);
	if (store_run_apply(db, ref->run, &change, applied, state, err) < 0)
		return -1;
	if (!*applied)
		return 0;
	return db_exec(db, err, NULL,
	               "UPDATE attempt SET state = 'ended', outcome = $3, fault = $4, ended = $5"
	               " WHERE run = $1 AND attempt = $2",
	               "iissi", ref->run, ref->attempt, outcome, fault, now);
}
