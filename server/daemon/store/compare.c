#include "server/daemon/store/compare.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/compare_json.h"
#include "server/daemon/compare/intern.h"
#include "server/daemon/store/known_issues.h"
#include "server/daemon/store/lanes.h"
#include "server/daemon/store/store.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <string.h>

struct compare_loaded {
	struct db *db; /* while it is loaded */
	struct intern texts;
	struct compare_lane *lanes; /* one a column, class, kind and board */
	struct lane **added_up;     /* owned, as each is; one a lane */
	size_t lanes_count;
	json_t *labels, *builds; /* builds: one array a column */
	json_t *columns;         /* what each column is, as the job says */
	const char *suite;       /* of the runs, in texts; NULL before the first */
	struct compare_known *known;
	size_t known_count;
	struct compare_spec *specs;      /* one a column */
	struct compare_expect **expects; /* owned, as each is: the specs' lists */
	size_t columns_count;
	struct comparison *comparison;
};

void compare_loaded_free(struct compare_loaded *l)
{
	if (!l)
		return;
	compare_free(l->comparison);
	for (size_t i = 0; i < l->lanes_count; i++) {
		lane_release(l->added_up[i]);
		free(l->added_up[i]);
	}
	for (size_t i = 0; l->expects && i < l->columns_count; i++)
		free(l->expects[i]);
	free((void *)l->expects);
	free(l->specs);
	free(l->lanes);
	free((void *)l->added_up);
	free(l->known);
	json_decref(l->labels);
	json_decref(l->builds);
	json_decref(l->columns);
	intern_release(&l->texts);
	free(l);
}

/* --- lanes --- */

/* The lane of that column, class, kind and board; a new one is empty. */
static struct compare_lane *lane_at(struct compare_loaded *l, const struct compare_lane *like)
{
	struct compare_lane *lane;

	for (size_t i = 0; i < l->lanes_count; i++) {
		lane = &l->lanes[i];
		if (lane->column == like->column && lane->cache == like->cache &&
		    lane->kind == like->kind && lane->board == like->board)
			return lane;
	}
	l->lanes = xrealloc(l->lanes, (l->lanes_count + 1) * sizeof(*l->lanes));
	l->added_up = xrealloc((void *)l->added_up, (l->lanes_count + 1) * sizeof(*l->added_up));
	l->added_up[l->lanes_count] = xcalloc(1, sizeof(struct lane));
	lane = &l->lanes[l->lanes_count++];
	*lane = *like;
	lane->lane = l->added_up[l->lanes_count - 1];
	return lane;
}

static struct lane *added_up_of(struct compare_loaded *l, const struct compare_lane *lane)
{
	return l->added_up[lane - l->lanes];
}

static int check_size(const struct compare_loaded *l, struct err *err)
{
	size_t entries = 0;

	for (size_t i = 0; i < l->lanes_count; i++)
		entries += l->added_up[i]->count;
	if (entries > COMPARE_ENTRIES_MAX)
		return err_set(err, ERR_TOOBIG,
		               "more than %d tests and cells: compare less at once",
		               COMPARE_ENTRIES_MAX);
	return 0;
}

/* Name the build among those of its column. */
static void note_build(struct compare_loaded *l, size_t column, int64_t id, const char *name)
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

/* Tests of two suites may have the same name and be two things: they do not meet in one row. */
static int check_suite(struct compare_loaded *l, const char *suite, struct err *err)
{
	suite = intern_text(&l->texts, suite);
	if (l->suite && l->suite != suite)
		return err_set(err, ERR_INVALID,
		               "these builds ran more than one suite: say %s, %s or another",
		               l->suite, suite);
	l->suite = suite;
	return 0;
}

/* The columns that a lane and a run have in common: cache, kind, board, column, build, suite. */
static struct compare_lane *lane_of_row(struct compare_loaded *l, sqlite3_stmt *s, size_t column)
{
	const struct compare_lane like = {.column = column,
	                                  .cache = intern_text(&l->texts, db_text(s, 0)),
	                                  .kind = intern_text(&l->texts, db_text(s, 1)),
	                                  .board = intern_text(&l->texts, db_text(s, 2))};

	note_build(l, column, db_int(s, 4), db_text(s, 5));
	return lane_at(l, &like);
}

#define COMMON(t) "SELECT " t ".cache, " t ".kind, " t ".board, " t ".col, b.id, b.name, j.suite, "

#define LANES                                                                                      \
	COMMON("l")                                                                                \
	"l.runs, l.broken, l.faults, l.warnings, l.build_failed, l.tallies FROM lane l JOIN "      \
	"build b ON b.id = l.build JOIN job j ON j.id = l.job "

/* Runs of tests that are in no lane yet. */
#define OPEN_RUNS                                                                                  \
	COMMON("r")                                                                                \
	"r.id, r.attempt, r.planned, r.state, (SELECT count(*) FROM attempt a WHERE a.run = r.id " \
	"AND a.outcome = 'fault') FROM run r JOIN build b ON b.id = r.build JOIN job j ON j.id = " \
	"r.job WHERE r.folded = 0 AND r.purpose = 'test' AND "

/* column: -1 when the row says it itself. */
static int add_lanes(struct compare_loaded *l, sqlite3_stmt *s, int64_t column, struct err *err)
{
	int rc;

	while ((rc = db_step(l->db, s, err)) == 1) {
		size_t c = (size_t)(column < 0 ? db_int(s, 3) : column);
		struct compare_lane *lane;

		if (c >= l->columns_count)
			continue;
		if (check_suite(l, db_text(s, 6), err) < 0)
			return -1;
		lane = lane_of_row(l, s, c);
		lane->runs += (size_t)db_int(s, 7);
		lane->broken += (size_t)db_int(s, 8);
		lane->faults += (size_t)db_int(s, 9);
		lane->warnings += (size_t)db_int(s, 10);
		if (db_text_or_null(s, 11))
			lane->build_failed = intern_text(&l->texts, db_text(s, 11));
		if (lane_add_text(added_up_of(l, lane), db_text(s, 12), &l->texts, err) < 0 ||
		    check_size(l, err) < 0)
			return -1;
	}
	return rc;
}

static int add_open_runs(struct compare_loaded *l, sqlite3_stmt *s, int64_t column, struct err *err)
{
	int rc;

	while ((rc = db_step(l->db, s, err)) == 1) {
		size_t c = (size_t)(column < 0 ? db_int(s, 3) : column);
		const char *state = db_text(s, 10);
		struct lane_run run = {
			.id = db_int(s, 7), .attempt = db_int(s, 8), .planned = db_int(s, 9)};
		struct compare_lane *lane;

		if (c >= l->columns_count)
			continue;
		if (check_suite(l, db_text(s, 6), err) < 0)
			return -1;
		run.open = strcmp(state, "queued") == 0 || strcmp(state, "running") == 0;
		lane = lane_of_row(l, s, c);
		lane->runs++;
		lane->open += run.open;
		lane->broken += strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
		lane->faults += (size_t)db_int(s, 11);
		if (lane_load_run(l->db, &run, added_up_of(l, lane), &lane->warnings, &l->texts,
		                  err) < 0 ||
		    check_size(l, err) < 0)
			return -1;
	}
	return rc;
}

/* --- what is compared --- */

static int load_job(struct compare_loaded *l, int64_t job, struct err *err)
{
	sqlite3_stmt *s =
		db_query(l->db, "SELECT labels, suite, columns FROM job WHERE id = ?1", "i", job);
	int rc = db_step(l->db, s, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such job: %" PRId64, job);
	if (rc < 0)
		return -1;
	l->labels = json_loads(db_text(s, 0), 0, NULL);
	l->suite = intern_text(&l->texts, db_text(s, 1));
	l->columns = json_loads(db_text(s, 2), 0, NULL);
	l->columns_count = json_array_size(l->labels);
	if (l->columns_count == 0)
		return err_set(err, ERR_IO, "job %" PRId64 " has no labels", job);
	l->builds = json_array();
	for (size_t i = 0; i < l->columns_count; i++)
		(void)json_array_append_new(l->builds, json_array());
	s = db_query(l->db, LANES "WHERE l.job = ?1 ORDER BY l.id", "i", job);
	if (add_lanes(l, s, -1, err) < 0)
		return -1;
	s = db_query(l->db, OPEN_RUNS "r.job = ?1 ORDER BY r.id", "i", job);
	return add_open_runs(l, s, -1, err);
}

/* Runs that somebody cancelled are no part of what is known about a build; those of a job stay with it. */
static int load_build(struct compare_loaded *l, size_t column, int64_t build, const char *suite,
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
	             LANES "WHERE l.build = ?1 AND l.cancelled = 0 AND (?2 IS NULL OR j.suite = "
	                   "?2) ORDER BY l.id",
	             "is", build, suite);
	if (add_lanes(l, s, (int64_t)column, err) < 0)
		return -1;
	s = db_query(l->db,
	             OPEN_RUNS "r.build = ?1 AND r.state <> 'cancelled' AND (?2 IS NULL OR "
	                       "j.suite = ?2) ORDER BY r.id",
	             "is", build, suite);
	return add_open_runs(l, s, (int64_t)column, err);
}

static int load_lanes(struct compare_loaded *l, const struct compare_query *q, struct err *err)
{
	if (q->job)
		return load_job(l, q->job, err);
	l->columns_count = q->builds_count;
	l->labels = json_array();
	l->builds = json_array();
	for (size_t i = 0; i < q->builds_count; i++)
		if (load_build(l, i, q->builds[i], q->suite, err) < 0)
			return -1;
	return 0;
}

/* --- what columns are --- */

static struct compare_expect *load_expects(struct compare_spec *spec, json_t *expect)
{
	struct compare_expect *list = NULL;
	const char *cache;
	json_t *tests, *test;
	size_t i;

	json_object_foreach(expect, cache, tests)
	{
		json_array_foreach(tests, i, test)
		{
			if (!json_is_string(test))
				continue;
			list = xrealloc(list, (spec->expects_count + 1) * sizeof(*list));
			list[spec->expects_count++] =
				(struct compare_expect){cache, json_string_value(test)};
		}
	}
	spec->expects = list;
	return list;
}

/* A job without a study says nothing of its columns: the first is base, the others are revisions. */
static void load_specs(struct compare_loaded *l)
{
	if (!json_is_array(l->columns)) {
		json_decref(l->columns);
		l->columns = json_array();
	}
	l->specs = xcalloc(l->columns_count, sizeof(*l->specs));
	l->expects = xcalloc(l->columns_count, sizeof(*l->expects));
	for (size_t c = 0; c < l->columns_count; c++) {
		json_t *column = json_array_get(l->columns, c);
		const char *role = json_string_value(json_object_get(column, "role"));
		struct compare_spec *spec = &l->specs[c];

		spec->label = json_string_value(json_array_get(l->labels, c));
		spec->role = c == 0                                 ? ROLE_BASE
		             : role && strcmp(role, "control") == 0 ? ROLE_CONTROL
		                                                    : ROLE_REVISION;
		l->expects[c] = load_expects(spec, json_object_get(column, "expect"));
		if (!column)
			(void)json_array_append_new(l->columns,
			                            json_pack("{s:s?, s:s, s:n, s:n, s:n}", "label",
			                                      spec->label, "role",
			                                      c == 0 ? "base" : "revision",
			                                      "series", "revision", "control"));
	}
}

/* --- what is known to fail --- */

static struct compare_known *add_known(struct compare_loaded *l, const char *test, const char *why)
{
	l->known = xrealloc(l->known, (l->known_count + 1) * sizeof(*l->known));
	l->known[l->known_count] = (struct compare_known){.test = test, .why = why};
	return &l->known[l->known_count++];
}

static void load_suite_known(struct compare_loaded *l, const struct suite_known *known)
{
	json_t *cells, *cache;
	size_t i, k;

	json_array_foreach(known->cells, i, cells)
	{
		json_array_foreach(known->caches, k, cache)
		{
			struct compare_known *one = add_known(l, known->test, known->why);

			one->cells = json_string_value(cells);
			one->cache = json_string_value(cache);
		}
	}
}

/* The suite's own come first: of two that fit, they explain. */
static int load_known(struct compare_loaded *l, const struct compare_query *q, struct err *err)
{
	const struct suite *suite = q->suites && l->suite ? suite_find(q->suites, l->suite) : NULL;
	sqlite3_stmt *s;
	int rc;

	for (size_t i = 0; suite && i < suite->known_count; i++)
		load_suite_known(l, &suite->known[i]);
	s = known_issues_query(l->db, l->suite, q->now_us);
	while ((rc = db_step(l->db, s, err)) == 1) {
		struct compare_known *one = add_known(l, intern_text(&l->texts, db_text(s, 1)),
		                                      intern_text(&l->texts, db_text(s, 5)));

		one->issue = db_int(s, 0);
		one->cells = intern_text(&l->texts, db_text(s, 2));
		one->cache = intern_text(&l->texts, db_text(s, 3));
		one->board = db_text_or_null(s, 4) ? intern_text(&l->texts, db_text(s, 4)) : NULL;
		one->link = db_text_or_null(s, 6) ? intern_text(&l->texts, db_text(s, 6)) : NULL;
	}
	return rc;
}

/* --- all --- */

struct compare_loaded *compare_load(struct db *db, const struct compare_query *query,
                                    struct err *err)
{
	struct compare_loaded *l = xcalloc(1, sizeof(*l));

	l->db = db;
	if (load_lanes(l, query, err) < 0 || load_known(l, query, err) < 0) {
		compare_loaded_free(l);
		return NULL;
	}
	load_specs(l);
	l->comparison = compare_make(&(struct compare_input){.lanes = l->lanes,
	                                                     .lanes_count = l->lanes_count,
	                                                     .columns = l->columns_count,
	                                                     .specs = l->specs,
	                                                     .known = l->known,
	                                                     .known_count = l->known_count});
	l->db = NULL;
	return l;
}

const struct comparison *compare_loaded_get(const struct compare_loaded *loaded)
{
	return loaded->comparison;
}

char *compare_loaded_json(const struct compare_loaded *l, size_t *len)
{
	const struct compare_titles titles = {
		.labels = l->labels, .columns = l->columns, .builds = l->builds};

	return compare_json(l->comparison, &titles, len);
}

json_t *compare_document(struct db *db, const struct compare_query *query, struct err *err)
{
	struct compare_loaded *loaded = compare_load(db, query, err);
	SCOPED_STR text = NULL;
	size_t len;

	if (!loaded)
		return NULL;
	text = compare_loaded_json(loaded, &len);
	compare_loaded_free(loaded);
	return jx_parse(text, len, len, err);
}
