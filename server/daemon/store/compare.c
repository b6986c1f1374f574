#include "server/daemon/store/compare.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/compare_json.h"
#include "server/daemon/compare/intern.h"
#include "server/daemon/store/store.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <string.h>

struct stored_run {
	int64_t id, attempt;
	size_t planned, first; /* results planned; index of its first in loader.results */
};

struct loader {
	struct db *db;
	struct intern texts;
	struct compare_run *runs;
	struct stored_run *stored; /* one a run */
	size_t runs_count, runs_room;
	struct compare_result *results; /* of all runs, one after the other */
	size_t results_count, results_room;
	json_t *labels, *builds; /* builds: one array a column */
	const char *suite;       /* of the runs, in texts; NULL before the first */
	struct compare_known *known;
	size_t known_count;
	size_t columns;
};

static void loader_release(struct loader *l)
{
	intern_release(&l->texts);
	free(l->runs);
	free(l->stored);
	free(l->results);
	free(l->known);
	json_decref(l->labels);
	json_decref(l->builds);
}

/* --- runs --- */

#define RUN_COLUMNS                                                                                \
	"SELECT r.id, r.col, r.cache, r.kind, r.board, r.state, r.attempt, r.planned, "            \
	"(SELECT count(*) FROM attempt a WHERE a.run = r.id AND a.outcome = 'fault'), b.id, "      \
	"b.name, j.suite FROM run r JOIN build b ON b.id = r.build JOIN job j ON j.id = r.job "

/* Name the build among those of its column. */
static void note_build(struct loader *l, size_t column, int64_t id, const char *name)
{
	json_t *of_column = json_array_get(l->builds, column), *item;
	size_t i;

	json_array_foreach(of_column, i, item)
	{
		if (json_integer_value(json_object_get(item, "id")) == id)
			return;
	}
	(void)json_array_append_new(of_column,
	                            json_pack("{s:I, s:s}", "id", (json_int_t)id, "name", name));
}

static void add_run(struct loader *l, sqlite3_stmt *s, size_t column)
{
	const char *state = db_text(s, 5);
	struct compare_run run = {.column = column};

	if (l->runs_count == l->runs_room) {
		l->runs_room = l->runs_room ? l->runs_room * 2 : 64;
		l->runs = xrealloc(l->runs, l->runs_room * sizeof(*l->runs));
		l->stored = xrealloc(l->stored, l->runs_room * sizeof(*l->stored));
	}
	run.cache = intern_text(&l->texts, db_text(s, 2));
	run.kind = intern_text(&l->texts, db_text(s, 3));
	run.board = intern_text(&l->texts, db_text(s, 4));
	run.open = strcmp(state, "queued") == 0 || strcmp(state, "running") == 0;
	run.broken = strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
	run.faults = (size_t)db_int(s, 8);
	l->stored[l->runs_count] = (struct stored_run){
		.id = db_int(s, 0), .attempt = db_int(s, 6), .planned = (size_t)db_int(s, 7)};
	l->runs[l->runs_count++] = run;
	note_build(l, column, db_int(s, 9), db_text(s, 10));
}

static int load_job(struct loader *l, int64_t job, struct err *err)
{
	sqlite3_stmt *s = db_query(l->db, "SELECT labels, suite FROM job WHERE id = ?1", "i", job);
	int rc = db_step(l->db, s, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such job: %" PRId64, job);
	if (rc < 0)
		return -1;
	l->labels = json_loads(db_text(s, 0), 0, NULL);
	l->suite = intern_text(&l->texts, db_text(s, 1));
	l->columns = json_array_size(l->labels);
	if (l->columns == 0)
		return err_set(err, ERR_IO, "job %" PRId64 " has no labels", job);
	l->builds = json_array();
	for (size_t i = 0; i < l->columns; i++)
		(void)json_array_append_new(l->builds, json_array());
	s = db_query(l->db, RUN_COLUMNS "WHERE r.job = ?1 AND r.purpose = 'test' ORDER BY r.id",
	             "i", job);
	while ((rc = db_step(l->db, s, err)) == 1)
		if ((size_t)db_int(s, 1) < l->columns)
			add_run(l, s, (size_t)db_int(s, 1));
	return rc;
}

/* Tests of two suites may have the same name and be two things: they do not meet in one row. */
static int check_suite(struct loader *l, const char *suite, struct err *err)
{
	suite = intern_text(&l->texts, suite);
	if (l->suite && l->suite != suite)
		return err_set(err, ERR_INVALID,
		               "these builds ran more than one suite: say %s, %s or another",
		               l->suite, suite);
	l->suite = suite;
	return 0;
}

/* Runs that somebody cancelled are no part of what is known about a build; those of a job stay with it. */
static int load_build(struct loader *l, size_t column, int64_t build, const char *suite,
                      struct err *err)
{
	sqlite3_stmt *s = db_query(l->db, "SELECT name FROM build WHERE id = ?1", "i", build);
	int rc = db_step(l->db, s, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such build: %" PRId64, build);
	if (rc < 0)
		return -1;
	(void)json_array_append_new(l->labels, json_string(db_text(s, 0)));
	(void)json_array_append_new(l->builds, json_array());
	note_build(l, column, build, db_text(s, 0));
	s = db_query(l->db,
	             RUN_COLUMNS "WHERE r.build = ?1 AND r.purpose = 'test' AND r.state <> "
	                         "'cancelled' AND (?2 IS NULL OR j.suite = ?2) ORDER BY r.id",
	             "is", build, suite);
	while ((rc = db_step(l->db, s, err)) == 1) {
		if (check_suite(l, db_text(s, 11), err) < 0)
			return -1;
		add_run(l, s, column);
	}
	return rc;
}

static int load_runs(struct loader *l, const struct compare_query *q, struct err *err)
{
	if (q->job)
		return load_job(l, q->job, err);
	l->columns = q->builds_count;
	l->labels = json_array();
	l->builds = json_array();
	for (size_t i = 0; i < q->builds_count; i++)
		if (load_build(l, i, q->builds[i], q->suite, err) < 0)
			return -1;
	return 0;
}

/* --- results --- */

static struct compare_result *new_result(struct loader *l)
{
	if (l->results_count == l->results_room) {
		l->results_room = l->results_room ? l->results_room * 2 : 1024;
		l->results = xrealloc(l->results, l->results_room * sizeof(*l->results));
	}
	return &l->results[l->results_count++];
}

static int add_result(struct loader *l, sqlite3_stmt *s, struct err *err)
{
	struct compare_result *r;

	if (l->results_count >= COMPARE_RESULTS_MAX)
		return err_set(err, ERR_TOOBIG, "more than %d results: compare less at once",
		               COMPARE_RESULTS_MAX);
	r = new_result(l);
	*r = (struct compare_result){.id = db_int(s, 0), .test_id = db_int(s, 1)};
	r->test = intern_text(&l->texts, db_text(s, 2));
	r->cell = intern_text(&l->texts, db_text(s, 3));
	r->kind = compare_kind_parse(db_text(s, 4));
	if (!verdict_parse(db_text(s, 5), &r->verdict))
		r->verdict = VERDICT_ERROR;
	return 0;
}

/* The planned tests of the run that have no result of their own: not yet, or never. */
static int add_planned(struct loader *l, size_t i, struct err *err)
{
	const struct stored_run *stored = &l->stored[i];
	sqlite3_stmt *s = db_query(l->db, "SELECT plan FROM run WHERE id = ?1", "i", stored->id);
	SCOPED_MEM mem = xcalloc(stored->planned + 1, sizeof(bool));
	SCOPED_JSON plan = NULL;
	bool *there = mem;
	json_t *test;
	size_t k;

	if (db_step(l->db, s, err) < 1)
		return -1;
	plan = json_loads(db_text(s, 0), 0, NULL);
	for (k = stored->first; k < l->results_count; k++)
		if (!l->results[k].cell[0] && (size_t)l->results[k].test_id < stored->planned)
			there[l->results[k].test_id] = true;
	json_array_foreach(json_object_get(plan, "tests"), k, test)
	{
		const char *name = json_string_value(json_object_get(test, "name"));
		const char *kind = json_string_value(json_object_get(test, "kind"));
		struct compare_result *r;

		if (k >= stored->planned || there[k] || !name || !kind)
			continue;
		r = new_result(l);
		*r = (struct compare_result){.test_id = (int64_t)k,
		                             .verdict = VERDICT_MISSING,
		                             .pending = l->runs[i].open};
		r->test = intern_text(&l->texts, name);
		r->cell = intern_text(&l->texts, "");
		r->kind = compare_kind_parse(kind);
	}
	return 0;
}

/* Kernel warnings, in the order of the run's own results: both go by test_id. */
static int add_warnings(struct loader *l, size_t i, struct err *err)
{
	const struct stored_run *stored = &l->stored[i];
	sqlite3_stmt *s =
		db_query(l->db,
	                 "SELECT test_id FROM evidence WHERE run = ?1 AND attempt = ?2 AND record "
	                 "LIKE '%\"type\":\"kernel-warning\"%' ORDER BY test_id",
	                 "ii", stored->id, stored->attempt);
	size_t at = stored->first;
	int rc;

	while ((rc = db_step(l->db, s, err)) == 1) {
		l->runs[i].warnings++;
		if (!db_text_or_null(s, 0))
			continue;
		while (at < l->results_count &&
		       (l->results[at].test_id < db_int(s, 0) || l->results[at].cell[0]))
			at++;
		if (at < l->results_count && l->results[at].test_id == db_int(s, 0))
			l->results[at].warned = true;
	}
	return rc;
}

static int load_results(struct loader *l, size_t i, struct err *err)
{
	struct stored_run *stored = &l->stored[i];
	size_t own = 0;
	sqlite3_stmt *s;
	int rc;

	stored->first = l->results_count;
	s = db_query(l->db,
	             "SELECT id, test_id, test, cell, test_kind, verdict FROM result WHERE run = "
	             "?1 AND attempt = ?2 ORDER BY test_id, cell",
	             "ii", stored->id, stored->attempt);
	while ((rc = db_step(l->db, s, err)) == 1) {
		if (add_result(l, s, err) < 0)
			return -1;
		own += !l->results[l->results_count - 1].cell[0];
	}
	if (rc < 0 || add_warnings(l, i, err) < 0)
		return -1;
	return own < stored->planned ? add_planned(l, i, err) : 0;
}

/* Results moved while they grew: now they stay. */
static void link_results(struct loader *l)
{
	for (size_t i = 0; i < l->runs_count; i++) {
		size_t end = i + 1 < l->runs_count ? l->stored[i + 1].first : l->results_count;

		l->runs[i].results = l->results + l->stored[i].first;
		l->runs[i].results_count = end - l->stored[i].first;
	}
}

/* --- what is known to fail --- */

static void add_known(struct loader *l, const struct suite_known *known)
{
	size_t cells = json_array_size(known->cells), caches = json_array_size(known->caches);

	l->known = xrealloc(l->known, (l->known_count + cells * caches) * sizeof(*l->known));
	for (size_t i = 0; i < cells * caches; i++)
		l->known[l->known_count++] = (struct compare_known){
			.test = known->test,
			.cells = json_string_value(json_array_get(known->cells, i / caches)),
			.cache = json_string_value(json_array_get(known->caches, i % caches)),
			.why = known->why,
		};
}

static void load_known(struct loader *l, const struct suites *suites)
{
	const struct suite *suite = suites && l->suite ? suite_find(suites, l->suite) : NULL;

	for (size_t i = 0; suite && i < suite->known_count; i++)
		add_known(l, &suite->known[i]);
}

static json_t *compare_loaded(const struct loader *l)
{
	const struct compare_input input = {.runs = l->runs,
	                                    .runs_count = l->runs_count,
	                                    .columns = l->columns,
	                                    .known = l->known,
	                                    .known_count = l->known_count};
	struct comparison *comparison = compare_make(&input);
	json_t *doc = compare_json(comparison, l->labels);

	(void)json_object_set(doc, "builds", l->builds);
	compare_free(comparison);
	return doc;
}

json_t *compare_load(struct db *db, const struct compare_query *query, struct err *err)
{
	struct loader l = {.db = db};
	json_t *doc = NULL;
	int rc = load_runs(&l, query, err);

	for (size_t i = 0; i < l.runs_count && rc == 0; i++)
		rc = load_results(&l, i, err);
	if (rc == 0) {
		link_results(&l);
		load_known(&l, query->suites);
		doc = compare_loaded(&l);
	}
	loader_release(&l);
	return doc;
}
