#include "server/daemon/store/lanes.h"

#include "common/err.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/intern.h"
#include "server/daemon/compare/lane.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

#define REBUILD_BATCH 200

/* --- what a run says --- */

/* The ids of its tests in which the kernel complained, ascending, and one that is no test's behind them. */
struct warned {
	int64_t *tests; /* owned */
	size_t count, at;
};

static int load_warned(struct db *db, const struct lane_run *run, struct warned *w,
                       size_t *warnings, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT test_id FROM evidence WHERE run = ?1 AND attempt = ?2 AND record "
	                 "LIKE '%\"type\":\"kernel-warning\"%' ORDER BY test_id",
	                 "ii", run->id, run->attempt);
	int rc;

	while ((rc = db_step(db, s, err)) == 1) {
		++*warnings;
		if (!db_text_or_null(s, 0))
			continue;
		w->tests = xrealloc(w->tests, (w->count + 1) * sizeof(*w->tests));
		w->tests[w->count++] = db_int(s, 0);
	}
	return rc;
}

/* Tests come in the order of their ids. */
static bool is_warned(struct warned *w, int64_t test)
{
	while (w->at < w->count && w->tests[w->at] < test)
		w->at++;
	return w->at < w->count && w->tests[w->at] == test;
}

/* there: which of the planned tests have a result of their own. */
static int load_results(struct db *db, const struct lane_run *run, struct warned *warned,
                        struct lane *lane, bool *there, struct intern *texts, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT id, test_id, test, cell, test_kind, verdict FROM result WHERE run = ?1 AND "
		"attempt = ?2 ORDER BY test_id, cell",
		"ii", run->id, run->attempt);
	int rc;

	while ((rc = db_step(db, s, err)) == 1) {
		struct compare_result r = {.id = db_int(s, 0), .test_id = db_int(s, 1)};

		r.test = intern_text(texts, db_text(s, 2));
		r.cell = intern_text(texts, db_text(s, 3));
		r.kind = compare_kind_parse(db_text(s, 4));
		if (!verdict_parse(db_text(s, 5), &r.verdict))
			r.verdict = VERDICT_ERROR;
		if (!*r.cell && r.test_id >= 0 && r.test_id < run->planned)
			there[r.test_id] = true;
		r.warned = !*r.cell && is_warned(warned, r.test_id);
		lane_add_result(lane, &r);
	}
	return rc;
}

/* The planned tests of the run that have no result of their own: not yet, or never. */
static int add_planned(struct db *db, const struct lane_run *run, struct lane *lane,
                       const bool *there, struct intern *texts, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT plan FROM run WHERE id = ?1", "i", run->id);
	SCOPED_JSON plan = NULL;
	json_t *test;
	size_t k;

	if (db_step(db, s, err) < 1)
		return -1;
	plan = json_loads(db_text(s, 0), 0, NULL);
	json_array_foreach(json_object_get(plan, "tests"), k, test)
	{
		const char *name = json_string_value(json_object_get(test, "name"));
		const char *kind = json_string_value(json_object_get(test, "kind"));
		struct compare_result r = {
			.test_id = (int64_t)k, .verdict = VERDICT_MISSING, .pending = run->open};

		if ((int64_t)k >= run->planned || there[k] || !name || !kind)
			continue;
		r.test = intern_text(texts, name);
		r.cell = intern_text(texts, "");
		r.kind = compare_kind_parse(kind);
		lane_add_result(lane, &r);
	}
	return 0;
}

/* --- what it measured --- */

/* A number counts when its cell passed: `inconclusive` is a clock that changed, and worse broke. */
static int is_measured(struct db *db, const struct lane_run *run, int64_t test, const char *cell,
                       struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT verdict FROM result WHERE run = ?1 AND attempt = ?2 AND test_id = ?3 AND "
		"cell IN (?4, '') ORDER BY cell DESC LIMIT 1",
		"iiis", run->id, run->attempt, test, cell);
	int rc = db_step(db, s, err);

	return rc < 1 ? rc : strcmp(db_text(s, 0), "pass") == 0;
}

static const char *member(const json_t *record, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text && strlen(text) <= 256 ? text : otherwise;
}

/* Of a `value` record (docs/WIRE.md): its samples, or the one number that it has. */
static void add_value(struct lane *lane, const json_t *record, const char *test, const char *cell,
                      struct intern *texts)
{
	double values[SAMPLES_MAX];
	struct lane_value v = {.samples = {.values = values, .groups = 1}};
	const json_t *samples = json_object_get(record, "samples"), *one;
	size_t i;

	json_array_foreach(samples, i, one)
	{
		if (v.samples.count < SAMPLES_MAX && json_is_number(one))
			values[v.samples.count++] = json_number_value(one);
	}
	one = json_object_get(record, "value");
	if (json_array_size(samples) == 0 && json_is_number(one))
		values[v.samples.count++] = json_number_value(one);
	v.samples.ends = &v.samples.count;
	v.test = intern_text(texts, test);
	v.cell = intern_text(texts, cell);
	v.name = intern_text(texts, member(record, "name", ""));
	v.unit = intern_text(texts, member(record, "unit", ""));
	lane_add_value(lane, &v);
}

static int load_values(struct db *db, const struct lane_run *run, struct lane *lane,
                       struct intern *texts, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT e.test_id, e.cell, e.record, (SELECT r.test FROM result r WHERE r.run = "
		"e.run AND r.attempt = e.attempt AND r.test_id = e.test_id AND r.cell = '') FROM "
		"evidence e WHERE e.run = ?1 AND e.attempt = ?2 AND e.test_id IS NOT NULL AND "
		"e.record LIKE '%\"type\":\"value\"%' ORDER BY e.test_id, e.id",
		"ii", run->id, run->attempt);
	int rc;

	while ((rc = db_step(db, s, err)) == 1) {
		SCOPED_JSON record = json_loads(db_text(s, 2), 0, NULL);
		int measured;

		if (strcmp(member(record, "type", ""), "value") != 0 || !db_text_or_null(s, 3))
			continue;
		measured = is_measured(db, run, db_int(s, 0), db_text(s, 1), err);
		if (measured < 0)
			return -1;
		if (measured)
			add_value(lane, record, db_text(s, 3), db_text(s, 1), texts);
	}
	return rc;
}

int lane_load_run(struct db *db, const struct lane_run *run, struct lane *lane, size_t *warnings,
                  struct intern *texts, struct err *err)
{
	SCOPED_MEM mem = xcalloc((size_t)run->planned + 1, sizeof(bool));
	struct warned warned = {0};
	bool *there = mem;
	int rc = load_warned(db, run, &warned, warnings, err);

	if (rc == 0)
		rc = load_results(db, run, &warned, lane, there, texts, err);
	free(warned.tests);
	if (rc == 0 && memchr(there, 0, (size_t)run->planned))
		rc = add_planned(db, run, lane, there, texts, err);
	if (rc == 0 && !run->open)
		rc = load_values(db, run, lane, texts, err);
	return rc;
}

/* --- folding --- */

/* A run that has ended, and what its lane is found by. */
struct folding {
	struct lane_run run;
	int64_t job, column, build, broken, cancelled, faults;
	char *cache, *kind, *board; /* owned */
	char *build_failed;         /* owned; NULL: it has a kernel */
	bool done, is_build;        /* folded already; no test run */
};

static void folding_release(struct folding *f)
{
	free(f->cache);
	free(f->kind);
	free(f->board);
	free(f->build_failed);
}

/* Of a fault that says that the build failed, the build's words. */
static char *read_build_failed(const char *fault)
{
	SCOPED_JSON doc = fault ? json_loads(fault, 0, NULL) : NULL;
	const char *code = json_string_value(json_object_get(doc, "code"));
	const char *detail = json_string_value(json_object_get(doc, "detail"));

	if (!code || strcmp(code, "build-failed") != 0)
		return NULL;
	return xstrdup(detail ? detail : "");
}

static int folding_read(struct db *db, int64_t run, struct folding *f, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT r.job, r.col, r.build, r.cache, r.kind, r.board, r.state, r.attempt, "
		"r.planned, r.purpose, r.fault, r.folded, (SELECT count(*) FROM attempt a WHERE "
		"a.run = r.id AND a.outcome = 'fault') FROM run r WHERE r.id = ?1",
		"i", run);
	int rc = db_step(db, s, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "there is no run %" PRId64, run);
	if (rc < 0)
		return -1;
	*f = (struct folding){
		.run = {.id = run, .attempt = db_int(s, 7), .planned = db_int(s, 8)},
		.job = db_int(s, 0),
		.column = db_int(s, 1),
		.build = db_int(s, 2),
		.cache = xstrdup(db_text(s, 3)),
		.kind = xstrdup(db_text(s, 4)),
		.board = xstrdup(db_text(s, 5)),
		.broken = strcmp(db_text(s, 6), "done") != 0,
		.cancelled = strcmp(db_text(s, 6), "cancelled") == 0,
		.is_build = strcmp(db_text(s, 9), "test") != 0,
		.build_failed = read_build_failed(db_text_or_null(s, 10)),
		.done = db_int(s, 11) != 0,
		.faults = db_int(s, 12),
	};
	return 0;
}

/* What the lane says so far; nothing when it has no run yet. */
static int lane_read(struct db *db, const struct folding *f, struct lane *lane,
                     struct intern *texts, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT tallies FROM lane WHERE job = ?1 AND col = ?2 AND build = ?3 AND cache = "
		"?4 AND kind = ?5 AND board = ?6 AND cancelled = ?7",
		"iiisssi", f->job, f->column, f->build, f->cache, f->kind, f->board, f->cancelled);
	int rc = db_step(db, s, err);

	return rc < 1 ? rc : lane_add_text(lane, db_text(s, 0), texts, err);
}

static int lane_write(struct db *db, const struct folding *f, const struct lane *lane,
                      size_t warnings, struct err *err)
{
	SCOPED_STR text = lane_text(lane);

	return db_exec(
		db, err, NULL,
		"INSERT INTO lane (job, col, build, cache, kind, board, cancelled, runs, broken, "
		"faults, warnings, build_failed, tallies) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, "
		"?8, ?9, ?10, ?11, ?12) ON CONFLICT (job, col, build, cache, kind, board, "
		"cancelled) DO UPDATE SET runs = lane.runs + 1, broken = lane.broken + ?8, faults "
		"= lane.faults + ?9, warnings = lane.warnings + ?10, build_failed = "
		"coalesce(lane.build_failed, ?11), tallies = ?12",
		"iiisssiiiiss", f->job, f->column, f->build, f->cache, f->kind, f->board,
		f->cancelled, f->broken, f->faults, (int64_t)warnings, f->build_failed, text);
}

static int fold(struct db *db, struct folding *f, struct err *err)
{
	struct intern texts = {0};
	struct lane lane = {0};
	size_t warnings = 0;
	int rc = lane_read(db, f, &lane, &texts, err);

	if (rc == 0)
		rc = lane_load_run(db, &f->run, &lane, &warnings, &texts, err);
	if (rc == 0)
		rc = lane_write(db, f, &lane, warnings, err);
	lane_release(&lane);
	intern_release(&texts);
	return rc;
}

int lane_fold(struct db *db, int64_t run, bool faulted, struct err *err)
{
	struct folding f = {0};
	int rc = folding_read(db, run, &f, err);

	f.faults += faulted;
	if (rc == 0 && !f.done) {
		if (!f.is_build)
			rc = fold(db, &f, err);
		if (rc == 0)
			rc = db_exec(db, err, NULL, "UPDATE run SET folded = 1 WHERE id = ?1", "i",
			             run);
	}
	folding_release(&f);
	return rc;
}

/* --- rebuilding --- */

struct rebuild {
	int64_t after;  /* the last run that was looked at */
	int64_t folded; /* of this batch */
};

static int rebuild_some(struct db *db, void *arg, struct err *err)
{
	struct rebuild *r = arg;
	int64_t batch[REBUILD_BATCH];
	sqlite3_stmt *s = db_query(
		db,
		"SELECT id FROM run WHERE folded = 0 AND state IN ('done', 'failed', 'cancelled') "
		"AND id > ?1 ORDER BY id LIMIT ?2",
		"ii", r->after, (int64_t)REBUILD_BATCH);
	size_t count = 0;
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		batch[count++] = db_int(s, 0);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = lane_fold(db, batch[i], false, err);
	if (count > 0)
		r->after = batch[count - 1];
	r->folded = (int64_t)count;
	return rc;
}

int lanes_rebuild(struct store *store, struct err *err)
{
	struct rebuild r = {0};
	int64_t all = 0;

	do {
		if (store_write(store, rebuild_some, &r, err) < 0)
			return -1;
		all += r.folded;
	} while (r.folded > 0);
	if (all > 0)
		log_note("added up %" PRId64 " ended runs for the comparison", all);
	return 0;
}
