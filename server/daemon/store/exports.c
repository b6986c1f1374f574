#include "server/daemon/store/exports.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/intern.h"
#include "server/daemon/store/known_issues.h"
#include "server/daemon/store/store.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <string.h>

#define EVIDENCE_RECORDS 40 /* of one result */

/* The revision that a build is of: as the farm made it, or as its manifest says. */
#define REVISION_OF_BUILD                                                                          \
	"coalesce(b.revision_id, (SELECT w.id FROM revision w JOIN series ws ON ws.id = w.series " \
	"WHERE ws.name = b.series AND w.label = b.revision)) "

struct export_source {
	struct export_job job;
	struct intern texts; /* of job, runs and builds */
	struct export_run *runs;
	struct export_build *builds;
	struct compare_known *known;
	const char **celled;
	size_t runs_room;
	struct intern run_texts; /* of results */
	struct export_result *results;
	size_t results_count, results_room;
};

void export_source_free(struct export_source *s)
{
	if (!s)
		return;
	intern_release(&s->texts);
	intern_release(&s->run_texts);
	free(s->runs);
	free(s->builds);
	free(s->known);
	free((void *)s->celled);
	free(s->results);
	free(s);
}

const struct export_job *export_source_job(const struct export_source *s)
{
	return &s->job;
}

static const char *keep(struct intern *texts, const char *text)
{
	return text ? intern_text(texts, text) : NULL;
}

/* --- builds --- */

/* KCIDB's hash of the patches in a recipe, "" for none. */
static void hash_patches(const json_t *patches, char out[SHA256_HEX])
{
	SCOPED_STR text = xcalloc(json_array_size(patches) + 1, SHA256_HEX);
	size_t i, len = 0;
	json_t *patch;

	out[0] = '\0';
	json_array_foreach(patches, i, patch)
	{
		const char *hash = json_string_value(patch);

		if (hash && sha256_valid(hash))
			len += (size_t)snprintf(text + len, SHA256_HEX + 1, "%s\n", hash);
	}
	if (len > 0)
		sha256_hex(text, len, out);
}

/* What a build was made of. A recipe says it; of an upload only its revision is known. */
static void add_source(struct export_source *s, struct export_build *b, const char *recipe,
                       const char *revision_hash, const char *base_commit)
{
	SCOPED_JSON doc = recipe ? json_loads(recipe, 0, NULL) : NULL;

	b->tree = keep(&s->texts, json_string_value(json_object_get(doc, "tree")));
	b->commit = keep(&s->texts, json_string_value(json_object_get(doc, "commit")));
	if (!b->commit)
		b->commit = keep(&s->texts, base_commit);
	if (doc)
		hash_patches(json_object_get(doc, "patches"), b->patchset_hash);
	else if (revision_hash)
		(void)snprintf(b->patchset_hash, sizeof(b->patchset_hash), "%s", revision_hash);
}

static void add_build(struct export_source *s, sqlite3_stmt *row)
{
	struct export_build *b;

	s->builds = xrealloc(s->builds, (s->job.builds_count + 1) * sizeof(*s->builds));
	b = &s->builds[s->job.builds_count++];
	*b = (struct export_build){
		.id = db_int(row, 0),
		.name = keep(&s->texts, db_text(row, 1)),
		.release = keep(&s->texts, db_text_or_null(row, 2)),
		.build_id = keep(&s->texts, db_text_or_null(row, 3)),
		.arch = keep(&s->texts, db_text(row, 4)),
		.description = keep(&s->texts, db_text(row, 5)),
		.cmdline = keep(&s->texts, db_text(row, 6)),
		.config_sha256 = keep(&s->texts, db_text_or_null(row, 7)),
		.compiler = keep(&s->texts, db_text_or_null(row, 8)),
		.created = db_int(row, 9),
		.state = keep(&s->texts, db_text(row, 10)),
		.failure = keep(&s->texts, db_text_or_null(row, 11)),
		.title = keep(&s->texts, db_text_or_null(row, 14)),
		.message_id = keep(&s->texts, db_text_or_null(row, 15)),
		.series = keep(&s->texts, db_text_or_null(row, 17)),
		.revision = keep(&s->texts, db_text_or_null(row, 18)),
	};
	add_source(s, b, db_text_or_null(row, 12), db_text_or_null(row, 13),
	           db_text_or_null(row, 16));
}

static int load_builds(struct export_source *s, struct db *db, struct err *err)
{
	sqlite3_stmt *row = db_query(
		db,
		"SELECT b.id, b.name, b.release, b.build_id, b.arch, b.description, b.cmdline, "
		"b.config_sha256, b.compiler, b.created, b.state, b.failure, b.recipe, "
		"v.patchset_hash, v.title, v.message_id, v.base_commit, coalesce(vs.name, "
		"b.series), coalesce(v.label, b.revision) FROM build b LEFT JOIN revision v ON "
		"v.id = " REVISION_OF_BUILD
		"LEFT JOIN series vs ON vs.id = v.series WHERE b.id IN (SELECT build FROM run "
		"WHERE job = ?1 AND purpose = 'test') ORDER BY b.id",
		"i", s->job.id);
	int rc;

	while ((rc = db_step(db, row, err)) == 1)
		add_build(s, row);
	s->job.builds = s->builds;
	return rc;
}

static const struct export_build *build_find(const struct export_source *s, int64_t id)
{
	for (size_t i = 0; i < s->job.builds_count; i++)
		if (s->builds[i].id == id)
			return &s->builds[i];
	return NULL; /* the foreign key and the transaction rule it out */
}

/* --- job and runs --- */

static int load_job(struct export_source *s, struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *row = db_query(
		db, "SELECT name, suite, state, created, coalesce(ended, 0) FROM job WHERE id = ?1",
		"i", id);
	int rc = db_step(db, row, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such job: %" PRId64, id);
	if (rc < 0)
		return -1;
	s->job = (struct export_job){
		.id = id,
		.name = keep(&s->texts, db_text(row, 0)),
		.suite = keep(&s->texts, db_text(row, 1)),
		.state = keep(&s->texts, db_text(row, 2)),
		.created = db_int(row, 3),
		.ended = db_int(row, 4),
	};
	return 0;
}

/* A member of JSON text, or NULL. */
static const char *keep_member(struct export_source *s, const char *text, const char *name)
{
	SCOPED_JSON doc = text ? json_loads(text, 0, NULL) : NULL;

	return keep(&s->texts, json_string_value(json_object_get(doc, name)));
}

static void add_run(struct export_source *s, sqlite3_stmt *row)
{
	struct export_run *r;

	if (s->job.runs_count == s->runs_room) {
		s->runs_room = s->runs_room ? s->runs_room * 2 : 32;
		s->runs = xrealloc(s->runs, s->runs_room * sizeof(*s->runs));
	}
	r = &s->runs[s->job.runs_count++];
	*r = (struct export_run){
		.id = db_int(row, 0),
		.column = db_int(row, 1),
		.build = build_find(s, db_int(row, 2)),
		.cache = keep(&s->texts, db_text(row, 3)),
		.kind = keep(&s->texts, db_text(row, 4)),
		.state = keep(&s->texts, db_text(row, 5)),
		.attempt = db_int(row, 6),
		.planned = db_int(row, 7),
		.created = db_int(row, 8),
		.started = db_int(row, 9),
		.ended = db_int(row, 10),
		.board = keep(&s->texts, db_text_or_null(row, 11)),
		.fault = keep_member(s, db_text_or_null(row, 12), "code"),
		.cache_line = keep_member(s, db_text_or_null(row, 13), "cache_line"),
	};
	r->proves = !compare_note(r->cache, r->kind);
	if (!r->build)
		s->job.runs_count--;
}

static int load_runs(struct export_source *s, struct db *db, struct err *err)
{
	sqlite3_stmt *row = db_query(
		db,
		"SELECT r.id, r.col, r.build, r.cache, r.kind, r.state, r.attempt, r.planned, "
		"r.created, coalesce(r.started, 0), coalesce(r.ended, 0), coalesce(a.board, "
		"r.board), r.fault, a.facts FROM run r LEFT JOIN attempt a ON a.run = r.id AND a.attempt = "
		"r.attempt WHERE r.job = ?1 AND r.purpose = 'test' ORDER BY r.cache, r.kind, "
		"r.col, r.id",
		"i", s->job.id);
	int rc;

	while ((rc = db_step(db, row, err)) == 1)
		add_run(s, row);
	s->job.runs = s->runs;
	return rc;
}

/* --- what is known to fail --- */

static struct compare_known *add_known(struct export_source *s, const char *test, const char *why)
{
	s->known = xrealloc(s->known, (s->job.known_count + 1) * sizeof(*s->known));
	s->known[s->job.known_count] = (struct compare_known){.test = test, .why = why};
	return &s->known[s->job.known_count++];
}

static void add_suite_known(struct export_source *s, const struct suite_known *known)
{
	json_t *cells, *cache;
	size_t i, k;

	json_array_foreach(known->cells, i, cells)
	{
		json_array_foreach(known->caches, k, cache)
		{
			struct compare_known *one = add_known(s, known->test, known->why);

			one->cells = json_string_value(cells);
			one->cache = json_string_value(cache);
		}
	}
}

/* The suite's own come first, as in a comparison. */
static int load_known(struct export_source *s, struct db *db, const struct suites *suites,
                      int64_t now_us, struct err *err)
{
	const struct suite *suite = suites ? suite_find(suites, s->job.suite) : NULL;
	sqlite3_stmt *row;
	int rc;

	for (size_t i = 0; suite && i < suite->known_count; i++)
		add_suite_known(s, &suite->known[i]);
	row = known_issues_query(db, s->job.suite, now_us);
	while ((rc = db_step(db, row, err)) == 1) {
		struct compare_known *one = add_known(s, keep(&s->texts, db_text(row, 1)),
		                                      keep(&s->texts, db_text(row, 5)));

		one->issue = db_int(row, 0);
		one->cells = keep(&s->texts, db_text(row, 2));
		one->cache = keep(&s->texts, db_text(row, 3));
		one->board = keep(&s->texts, db_text_or_null(row, 4));
		one->link = keep(&s->texts, db_text_or_null(row, 6));
	}
	s->job.known = s->known;
	return rc;
}

/* Tests that have cells, in whatever run. */
static int load_celled(struct export_source *s, struct db *db, struct err *err)
{
	sqlite3_stmt *row = db_query(
		db,
		"SELECT DISTINCT s.test FROM run r JOIN result s ON s.run = r.id AND s.attempt = "
		"r.attempt WHERE r.job = ?1 AND r.purpose = 'test' AND s.cell <> '' ORDER BY s.test",
		"i", s->job.id);
	int rc;

	while ((rc = db_step(db, row, err)) == 1) {
		s->celled = (const char **)xrealloc((void *)s->celled,
		                                    (s->job.celled_count + 1) * sizeof(*s->celled));
		s->celled[s->job.celled_count++] = keep(&s->texts, db_text(row, 0));
	}
	s->job.celled = s->celled;
	return rc;
}

struct export_source *export_source_load(struct db *db, int64_t job, const struct suites *suites,
                                         int64_t now_us, struct err *err)
{
	struct export_source *s = xcalloc(1, sizeof(*s));

	if (load_job(s, db, job, err) == 0 && load_builds(s, db, err) == 0 &&
	    load_runs(s, db, err) == 0 && load_known(s, db, suites, now_us, err) == 0 &&
	    load_celled(s, db, err) == 0)
		return s;
	export_source_free(s);
	return NULL;
}

/* --- results --- */

static void add_result(struct export_source *s, sqlite3_stmt *row)
{
	struct intern *texts = &s->run_texts;

	if (s->results_count == s->results_room) {
		s->results_room = s->results_room ? s->results_room * 2 : 1024;
		s->results = xrealloc(s->results, s->results_room * sizeof(*s->results));
	}
	s->results[s->results_count++] = (struct export_result){
		.id = db_int(row, 0),
		.test_id = db_int(row, 1),
		.rep = db_int(row, 2),
		.trials = db_int(row, 3),
		.bad = db_int(row, 4),
		.masked = db_int(row, 5),
		.duration_us = db_int(row, 6),
		.time = db_int(row, 7),
		.test = intern_text(texts, db_text(row, 8)),
		.cell = intern_text(texts, db_text(row, 9)),
		.kind = intern_text(texts, db_text(row, 10)),
		.verdict = intern_text(texts, db_text(row, 11)),
		.reason = keep(texts, db_text_or_null(row, 12)),
		.detail = keep(texts, db_text_or_null(row, 13)),
		.fault_class = keep(texts, db_text_or_null(row, 14)),
	};
}

/* The result of that test and cell; results are sorted by both. */
static struct export_result *result_find(struct export_source *s, int64_t test_id, const char *cell)
{
	size_t low = 0, high = s->results_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct export_result *r = &s->results[mid];

		if (r->test_id < test_id || (r->test_id == test_id && strcmp(r->cell, cell) < 0))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == s->results_count || s->results[low].test_id != test_id ||
	    strcmp(s->results[low].cell, cell) != 0)
		return NULL;
	return &s->results[low];
}

static void add_value(struct export_source *s, struct export_result *r, const json_t *record)
{
	const json_t *value = json_object_get(record, "value");
	const char *unit = json_string_value(json_object_get(record, "unit"));

	if (!json_is_number(value) || r->measured)
		return;
	r->measured = true;
	r->value = json_number_value(value);
	r->unit = keep(&s->run_texts, unit ? unit : "");
}

/* Records of one result as text, in the making. */
struct excerpt {
	struct export_result *result; /* NULL: none */
	char *text;                   /* owned */
	size_t len;
	unsigned records;
};

static void excerpt_end(struct export_source *s, struct excerpt *e)
{
	if (e->len > 0)
		e->text[e->len - 1] = '\0'; /* the last newline */
	if (e->result && e->len > 0)
		e->result->excerpt = keep(&s->run_texts, e->text);
	free(e->text);
	*e = (struct excerpt){0};
}

static void excerpt_add(struct export_source *s, struct excerpt *e, struct export_result *r,
                        const char *line)
{
	size_t len = strlen(line);

	if (e->result != r)
		excerpt_end(s, e);
	e->result = r;
	if (e->records++ >= EVIDENCE_RECORDS || e->len + len > EXPORT_EXCERPT_MAX)
		return;
	e->text = xrealloc(e->text, e->len + len + 2);
	(void)memcpy(e->text + e->len, line, len);
	e->len += len;
	e->text[e->len++] = '\n';
	e->text[e->len] = '\0';
}

/* One row of evidence: (test_id, cell, record). Most are mismatches, which are shown as they are: what is none of the two
 * others by its text is not parsed. */
static void add_evidence(struct export_source *s, struct excerpt *e, sqlite3_stmt *row)
{
	struct export_result *r = result_find(s, db_int(row, 0), db_text(row, 1));
	const char *line = db_text(row, 2), *type, *text;
	SCOPED_JSON record = NULL;

	if (r &&
	    (strstr(line, "\"type\":\"value\"") || strstr(line, "\"type\":\"kernel-warning\"")))
		record = json_loads(line, 0, NULL);
	type = json_string_value(json_object_get(record, "type"));
	if (r && type && strcmp(type, "value") == 0)
		add_value(s, r, record);
	else if (r && (!type || strcmp(type, "kernel-warning") != 0))
		excerpt_add(s, e, r, line);
	if (!r || !type || strcmp(type, "kernel-warning") != 0)
		return;
	text = json_string_value(json_object_get(record, "text"));
	r->warned = true;
	excerpt_add(s, e, r, text ? text : line);
}

static int load_evidence(struct export_source *s, struct db *db, const struct export_run *run,
                         struct err *err)
{
	sqlite3_stmt *row = db_query(
		db,
		"SELECT test_id, cell, record FROM evidence WHERE run = ?1 AND attempt = ?2 AND test_id IS NOT NULL ORDER BY test_id, cell, id",
		"ii", run->id, run->attempt);
	struct excerpt e = {0};
	int rc;

	while ((rc = db_step(db, row, err)) == 1)
		add_evidence(s, &e, row);
	excerpt_end(s, &e);
	return rc;
}

int export_source_results(struct export_source *s, struct db *db, size_t i,
                          struct export_results *results, struct err *err)
{
	const struct export_run *run = &s->runs[i];
	sqlite3_stmt *row = db_query(
		db,
		"SELECT id, test_id, rep, trials, bad, masked, duration_us, time, test, cell, "
		"test_kind, verdict, reason, detail, fault_class FROM result WHERE run = ?1 AND "
		"attempt = ?2 ORDER BY test_id, cell",
		"ii", run->id, run->attempt);
	int rc;

	intern_release(&s->run_texts);
	s->run_texts = (struct intern){0};
	s->results_count = 0;
	while ((rc = db_step(db, row, err)) == 1)
		add_result(s, row);
	if (rc < 0 || load_evidence(s, db, run, err) < 0)
		return -1;
	*results = (struct export_results){.list = s->results, .count = s->results_count};
	export_judge(&s->job, run, results);
	return 0;
}

/* --- whose mail it is --- */

/* The id in the statement's first row, 0 when there is none, or -1 with *err. */
static int64_t first_id(struct db *db, sqlite3_stmt *row, struct err *err)
{
	int rc = db_step(db, row, err);

	return rc == 1 ? db_int(row, 0) : rc;
}

static int64_t find_revision(struct db *db, const char *message_id, const char *change_id,
                             struct err *err)
{
	int64_t id = 0;

	if (message_id)
		id = first_id(db,
		              db_query(db,
		                       "SELECT id FROM revision WHERE message_id = ?1 UNION ALL "
		                       "SELECT revision FROM patch WHERE message_id = ?1 LIMIT 1",
		                       "s", message_id),
		              err);
	if (id == 0 && change_id)
		id = first_id(db,
		              db_query(db,
		                       "SELECT v.id FROM revision v JOIN series s ON s.id = "
		                       "v.series WHERE s.change_id = ?1 ORDER BY v.version DESC "
		                       "LIMIT 1",
		                       "s", change_id),
		              err);
	return id;
}

int export_find_mail(struct db *db, const char *message_id, const char *change_id, int64_t *job,
                     int64_t *column, struct err *err)
{
	int64_t revision = find_revision(db, message_id, change_id, err);
	sqlite3_stmt *row;
	int rc;

	*job = *column = 0;
	if (revision <= 0)
		return (int)revision;
	/* Of a study that tests each commit, too, the last column of the revision has all its patches. */
	row = db_query(db,
	               "SELECT r.job, max(r.col) FROM revision v JOIN series s ON s.id = v.series "
	               "JOIN build b ON b.revision_id = v.id OR (b.revision_id IS NULL AND "
	               "b.series = s.name AND b.revision = v.label) JOIN run r ON r.build = b.id "
	               "AND r.purpose = 'test' WHERE v.id = ?1 GROUP BY r.job ORDER BY r.job DESC "
	               "LIMIT 1",
	               "i", revision);
	rc = db_step(db, row, err);
	if (rc == 1) {
		*job = db_int(row, 0);
		*column = db_int(row, 1);
	}
	return rc < 0 ? -1 : 0;
}
