#include "server/daemon/store/rounds.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/open.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/compare.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

int rounds_jobs(struct db *db, round_job_fn *fn, void *arg, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT id FROM job WHERE deciding = 1 ORDER BY id", "");
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		if (fn(arg, db_int(s, 0)) < 0)
			break;
	return rc < 0 ? -1 : 0;
}

/* ---- What a slot says ---- */

/* A class of the comparison as questions. */
struct slot_view {
	struct open_view view;
	struct open_row *rows;
	struct open_ratio *ratios;
	struct open_tally *tallies;
	double *bounds; /* low, high and p of each ratio, column by column */
	bool *asked;
};

static void view_release(struct slot_view *v)
{
	free(v->rows);
	free(v->ratios);
	free(v->tallies);
	free(v->bounds);
	free(v->asked);
}

/* Rows of contracts; what is known to fail, and why, is no question. */
static void view_rows(struct slot_view *v, const struct compare_class *class)
{
	size_t columns = v->view.columns, count = 0;

	v->rows = xcalloc(class->rows_count + 1, sizeof(*v->rows));
	v->tallies = xcalloc(class->rows_count * columns + 1, sizeof(*v->tallies));
	for (size_t i = 0; i < class->rows_count; i++) {
		const struct compare_row *row = &class->rows[i];
		struct open_tally *tally = &v->tallies[count * columns];

		if (row->kind != COMPARE_CONTRACT || row->known)
			continue;
		for (size_t c = 0; c < columns; c++)
			tally[c] = (struct open_tally){.told = compare_told(&row->tally[c]),
			                               .bad = compare_bad(&row->tally[c])};
		v->rows[count++] = (struct open_row){.test = row->test, .tally = tally};
	}
	v->view.rows = v->rows;
	v->view.rows_count = count;
}

static void view_ratios(struct slot_view *v, const struct compare_class *class)
{
	size_t columns = v->view.columns, count = class->costs.count;

	v->ratios = xcalloc(count + 1, sizeof(*v->ratios));
	v->bounds = xcalloc(count * columns * 3 + 1, sizeof(*v->bounds));
	for (size_t i = 0; i < count; i++) {
		const struct cost_row *row = &class->costs.rows[i];
		double *low = &v->bounds[i * columns * 3], *high = low + columns,
		       *p = high + columns;

		for (size_t c = 0; c < columns; c++) {
			const struct cost_cell *cell = &row->cells[c];
			bool set = cell->change != COST_NONE && cell->change != COST_BASE;

			low[c] = set ? cell->low : NAN;
			high[c] = set ? cell->high : NAN;
			p[c] = set ? cell->p * (double)class->columns[c].cost.compared : NAN;
		}
		v->ratios[i] = (struct open_ratio){row->test, low, high, p};
	}
	v->view.ratios = v->ratios;
	v->view.ratios_count = count;
}

static void view_make(struct slot_view *v, const struct comparison *all,
                      const struct compare_class *class, int64_t round)
{
	*v = (struct slot_view){.view = {.columns = all->columns, .look = (size_t)round}};
	v->asked = xcalloc(all->columns + 1, sizeof(*v->asked));
	for (size_t c = 1; c <= all->revisions && c < all->columns; c++)
		v->asked[c] = true;
	v->view.asked = v->asked;
	view_rows(v, class);
	view_ratios(v, class);
}

/* ---- Deciding ---- */

static json_t *open_columns(const struct slot_view *v, const bool *open)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->view.columns; i++)
		if (open[i])
			(void)json_array_append_new(list, json_integer((json_int_t)i));
	return list;
}

/* The name of each test with something open, once: rows of a test stand together. */
static void add_test(json_t *list, const char *test)
{
	const char *last = json_string_value(json_array_get(list, json_array_size(list) - 1));

	if (!last || strcmp(last, test) != 0)
		(void)json_array_append_new(list, json_string(test));
}

static json_t *open_tests(const struct slot_view *v, const bool *rows, const bool *ratios)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->view.rows_count; i++)
		if (rows[i])
			add_test(list, v->rows[i].test);
	for (size_t i = 0; i < v->view.ratios_count; i++)
		if (ratios[i])
			add_test(list, v->ratios[i].test);
	return list;
}

/* The round that follows, or null when nothing is open. */
static json_t *slot_decide(const struct comparison *all, const struct compare_class *class,
                           int64_t round)
{
	struct slot_view v;
	json_t *next = json_null();

	view_make(&v, all, class, round);
	SCOPED_MEM rows = xcalloc(v.view.rows_count + 1, sizeof(bool));
	SCOPED_MEM ratios = xcalloc(v.view.ratios_count + 1, sizeof(bool));
	SCOPED_MEM columns = xcalloc(v.view.columns + 1, sizeof(bool));

	if (study_open(&v.view, rows, ratios, columns))
		next = json_pack("{s:s, s:s, s:I, s:o, s:o}", "cache", class->cache, "kind",
		                 class->kind, "follows", (json_int_t)round, "columns",
		                 open_columns(&v, columns), "tests", open_tests(&v, rows, ratios));
	view_release(&v);
	return next;
}

/* Slots with their last round, and whether a run of theirs has not ended. */
static json_t *slots_read(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT cache, kind, max(round), sum(state IN ('queued', "
	                           "'running')) FROM run WHERE job = ?1 AND purpose = 'test' GROUP "
	                           "BY cache, kind ORDER BY cache, kind",
	                           "i", job);
	SCOPED_JSON slots = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(slots, json_pack("{s:s, s:s, s:I, s:b}", "cache",
		                                             db_text(s, 0), "kind", db_text(s, 1),
		                                             "round", (json_int_t)db_int(s, 2),
		                                             "busy", db_int(s, 3) > 0));
	return rc < 0 ? NULL : take_json(&slots);
}

static int64_t rounds_max(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db, "SELECT json_extract(study, '$.until.max_rounds') FROM job WHERE id = ?1", "i",
		job);

	return db_step(db, s, err) < 1 ? -1 : db_int(s, 0);
}

/* A decision in work. The comparison is loaded when the first slot wants it. */
struct deciding {
	struct db *db;
	const struct rounds_config *config;
	int64_t job, most;
	struct compare_loaded *loaded; /* owned; NULL: not yet */
	json_t *rounds;
};

static const struct compare_class *class_of(const struct comparison *all, const char *cache,
                                            const char *kind)
{
	for (size_t i = 0; i < all->classes_count; i++)
		if (strcmp(all->classes[i].cache, cache) == 0 &&
		    strcmp(all->classes[i].kind, kind) == 0)
			return &all->classes[i];
	return NULL;
}

static int comparison_load(struct deciding *d, struct err *err)
{
	const struct compare_query query = {
		.job = d->job, .suites = d->config->suites, .now_us = d->config->now_us};

	if (!d->loaded)
		d->loaded = compare_load(d->db, &query, err);
	return d->loaded ? 0 : -1;
}

/* One slot into the decision. */
static int slot_look(struct deciding *d, const json_t *slot, struct err *err)
{
	const char *cache = json_string_value(json_object_get(slot, "cache"));
	const char *kind = json_string_value(json_object_get(slot, "kind"));
	int64_t round = json_integer_value(json_object_get(slot, "round"));
	SCOPED_STR key = xasprintf("%" PRId64 "/%s/%s", d->job, cache, kind);
	json_t *closed = d->config->closed, *next = NULL;
	const struct comparison *all;
	const struct compare_class *class;

	if (round >= d->most || json_integer_value(json_object_get(closed, key)) == round)
		return 0;
	if (comparison_load(d, err) < 0)
		return -1;
	all = compare_loaded_get(d->loaded);
	class = class_of(all, cache, kind);
	if (class)
		next = slot_decide(all, class, round);
	if (json_is_object(next))
		(void)json_array_append_new(d->rounds, next);
	else
		(void)json_object_set_new(closed, key, json_integer(round));
	return 0;
}

json_t *rounds_decide(struct db *db, int64_t job, const struct rounds_config *config,
                      struct err *err)
{
	SCOPED_JSON slots = slots_read(db, job, err);
	SCOPED_JSON rounds = json_array();
	struct deciding d = {.db = db,
	                     .config = config,
	                     .job = job,
	                     .most = slots ? rounds_max(db, job, err) : -1,
	                     .rounds = rounds};
	json_int_t busy = 0;
	json_t *slot;
	int rc = d.most < 0 ? -1 : 0;
	size_t i;

	json_array_foreach(slots, i, slot)
	{
		if (json_is_true(json_object_get(slot, "busy")))
			busy++;
		else if (rc == 0)
			rc = slot_look(&d, slot, err);
	}
	if (d.loaded)
		compare_loaded_free(d.loaded);
	if (rc < 0)
		return NULL;
	return json_pack("{s:I, s:I, s:O}", "job", (json_int_t)job, "busy", busy, "rounds", rounds);
}

/* ---- Making ---- */

struct making {
	struct db *db;
	int64_t job, now;
	int64_t expires;       /* until when a run that is made may stand in the queue */
	int64_t runs, results; /* that the job has */
	bool bound, stale;     /* the next one would be too many; a slot is not as it was */
	bool over;             /* the time window of the job is: nothing more starts */
	int64_t made;
};

static int making_begin(struct making *m, struct err *err)
{
	sqlite3_stmt *s =
		db_query(m->db,
	                 "SELECT count(*), coalesce(sum(planned), 0), (SELECT "
	                 "json_extract(study, '$.ttl_s') FROM job WHERE id = ?1) FROM run "
	                 "WHERE job = ?1 AND purpose = 'test'",
	                 "i", m->job);

	int64_t window;

	if (db_step(m->db, s, err) < 1 || store_job_window(m->db, m->job, &window, err) < 0)
		return -1;
	m->runs = db_int(s, 0);
	m->results = db_int(s, 1);
	m->expires = m->now + db_int(s, 2) * SECOND_US;
	if (m->expires > window)
		m->expires = window;
	m->over = m->now >= window;
	return 0;
}

/* Is the round that it follows still the last, and ended? */
static int round_follows(struct making *m, const char *cache, const char *kind, int64_t round,
                         struct err *err)
{
	sqlite3_stmt *s =
		db_query(m->db,
	                 "SELECT max(round) = ?4 AND sum(state IN ('queued', 'running')) = "
	                 "0 FROM run WHERE job = ?1 AND cache = ?2 AND kind = ?3 AND "
	                 "purpose = 'test'",
	                 "issi", m->job, cache, kind, round);

	return db_step(m->db, s, err) < 1 ? -1 : (int)db_int(s, 0);
}

/* A run of the next round, like that of the first. */
static int run_repeat(struct making *m, int64_t run, int64_t round, const json_t *tests,
                      struct err *err)
{
	sqlite3_stmt *s = db_query(m->db, "SELECT plan FROM run WHERE id = ?1", "i", run);
	SCOPED_STR text = NULL;
	size_t planned;

	if (db_step(m->db, s, err) < 1)
		return -1;
	text = plan_narrow(db_text(s, 0), tests, &planned);
	if (!text)
		return 0;
	if (m->runs + 1 > PLAN_RUNS || m->results + (int64_t)planned > PLAN_RESULTS) {
		m->bound = true;
		return 0;
	}
	if (db_exec(m->db, err, NULL,
	            "INSERT INTO run (job, col, build, cache, kind, boards, plan, planned, "
	            "priority, state, max_attempts, expires, created, round) SELECT job, col, "
	            "build, cache, kind, boards, ?2, ?3, priority, 'queued', max_attempts, ?4, ?5, "
	            "?6 FROM run WHERE id = ?1",
	            "isiiii", run, text, (int64_t)planned, m->expires, m->now, round) < 0)
		return -1;
	m->runs++;
	m->results += (int64_t)planned;
	m->made++;
	return store_run_event(m->db, db_last_id(m->db), m->now, err);
}

static bool has_column(const json_t *columns, int64_t column)
{
	json_t *item;
	size_t i;

	json_array_foreach(columns, i, item)
	{
		if (json_integer_value(item) == column)
			return true;
	}
	return false;
}

/* Ids of the first round's runs of these columns whose kernel is there, in their order. */
static json_t *first_runs(struct making *m, const json_t *round, struct err *err)
{
	sqlite3_stmt *s = db_query(
		m->db,
		"SELECT r.id, r.col FROM run r JOIN build b ON b.id = r.build WHERE r.job = ?1 AND "
		"r.cache = ?2 AND r.kind = ?3 AND r.purpose = 'test' AND r.round = 1 AND b.state = "
		"'complete' ORDER BY r.id",
		"iss", m->job, json_string_value(json_object_get(round, "cache")),
		json_string_value(json_object_get(round, "kind")));
	SCOPED_JSON ids = json_array();
	int rc;

	while ((rc = db_step(m->db, s, err)) == 1)
		if (has_column(json_object_get(round, "columns"), db_int(s, 1)))
			(void)json_array_append_new(ids, json_integer(db_int(s, 0)));
	return rc < 0 ? NULL : take_json(&ids);
}

static int round_make(struct making *m, const json_t *round, struct err *err)
{
	const char *cache = json_string_value(json_object_get(round, "cache"));
	const char *kind = json_string_value(json_object_get(round, "kind"));
	int64_t follows = json_integer_value(json_object_get(round, "follows"));
	int rc = round_follows(m, cache, kind, follows, err);
	SCOPED_JSON ids = rc == 1 ? first_runs(m, round, err) : NULL;
	json_t *id;
	size_t i;

	m->stale |= rc == 0;
	if (rc < 1)
		return rc;
	if (!ids)
		return -1;
	json_array_foreach(ids, i, id)
	{
		if (run_repeat(m, json_integer_value(id), follows + 1,
		               json_object_get(round, "tests"), err) < 0)
			return -1;
	}
	return 0;
}

/* No more rounds: the job may be done now. */
static int deciding_end(struct making *m, struct err *err)
{
	const char *why = m->bound  ? "the bounds of a job are reached"
	                  : m->over ? "its time window has ended"
	                            : NULL;

	if (why && db_exec(m->db, err, NULL,
	                   "UPDATE job SET study = json_set(study, '$.stopped', ?2) WHERE id = ?1",
	                   "is", m->job, why) < 0)
		return -1;
	if (db_exec(m->db, err, NULL, "UPDATE job SET deciding = 0 WHERE id = ?1", "i", m->job) < 0)
		return -1;
	return store_job_derive(m->db, m->job, m->now, err);
}

int rounds_make(struct db *db, const json_t *decision, int64_t now, int64_t *made, struct err *err)
{
	struct making m = {
		.db = db, .job = json_integer_value(json_object_get(decision, "job")), .now = now};
	sqlite3_stmt *s = db_query(db, "SELECT deciding FROM job WHERE id = ?1", "i", m.job);
	json_t *round;
	size_t i;

	*made = 0;
	if (db_step(db, s, err) < 1)
		return -1;
	if (db_int(s, 0) == 0)
		return 0;
	if (making_begin(&m, err) < 0)
		return -1;
	m.over = m.over && json_array_size(json_object_get(decision, "rounds")) > 0;
	json_array_foreach(json_object_get(decision, "rounds"), i, round)
	{
		if (!m.over && round_make(&m, round, err) < 0)
			return -1;
	}
	*made = m.made;
	if (m.made > 0 || m.stale || json_integer_value(json_object_get(decision, "busy")) > 0)
		return m.made > 0 ? store_job_tell(db, m.job, now, err) : 0;
	return deciding_end(&m, err);
}
