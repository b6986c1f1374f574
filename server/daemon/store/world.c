#include "server/daemon/store/world.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/intern.h"
#include "server/daemon/store/store.h"

#include <string.h>

struct known_build {
	struct plan_build build; /* id 0: there is none */
	json_t *ref;             /* owned: what it was asked for by */
	struct known_build *next;
};

struct known_series {
	struct plan_series series;       /* id 0: there is none */
	struct plan_revision *revisions; /* owned, with their patches */
	json_t *ref;                     /* owned */
	struct known_series *next;
};

struct world {
	struct plan_world plan;
	struct db *db;       /* NULL once closed */
	struct intern texts; /* of boards and builds */
	struct plan_board *boards;
	struct known_build *builds;
	struct known_series *series;
	int failed;
	struct err err;
};

/* --- boards --- */

/* Methods that run what is there need no kernel. */
static bool boots_a_kernel(const char *document)
{
	SCOPED_JSON board = json_loads(document, 0, NULL);
	const char *method =
		json_string_value(json_object_get(json_object_get(board, "boot"), "method"));

	return method && strcmp(method, "none") != 0;
}

static const char *keep(struct world *w, sqlite3_stmt *s, int column)
{
	return intern_text(&w->texts, db_text(s, column));
}

/* A builder's repositories by name, as JSON; NULL: it has none. */
static const char *trees_of(struct world *w, const char *document)
{
	SCOPED_JSON board = json_loads(document, 0, NULL);
	json_t *trees = json_object_get(board, "trees");
	SCOPED_STR text = json_is_object(trees) ? json_dumps(trees, JSON_COMPACT) : NULL;

	return text ? intern_text(&w->texts, text) : NULL;
}

static struct plan_board read_board(struct world *w, sqlite3_stmt *s)
{
	return (struct plan_board){.name = keep(w, s, 0),
	                           .kind = keep(w, s, 1),
	                           .cache = keep(w, s, 2),
	                           .arch = keep(w, s, 3),
	                           .tags = keep(w, s, 4),
	                           .trees = trees_of(w, db_text(s, 5)),
	                           .needs_kernel = boots_a_kernel(db_text(s, 5))};
}

static int load_boards(struct world *w, struct err *err)
{
	sqlite3_stmt *s = db_query(
		w->db, "SELECT name, kind, cache, arch, tags, document FROM board ORDER BY name",
		"");
	size_t room = 0;
	int rc;

	while ((rc = db_step(w->db, s, err)) == 1) {
		if (w->plan.boards_count == room) {
			room = room ? room * 2 : 16;
			w->boards = xrealloc(w->boards, room * sizeof(*w->boards));
		}
		w->boards[w->plan.boards_count++] = read_board(w, s);
	}
	w->plan.boards = w->boards;
	return rc;
}

/* --- builds --- */

#define BUILD_SELECT                                                                               \
	"SELECT b.id, b.name, b.release, b.arch, (SELECT count(*) FROM build_file f WHERE "        \
	"f.build = b.id), (SELECT count(*) FROM build_file f WHERE f.build = b.id AND f.role = "   \
	"'kernel'), b.state FROM build b "

static struct known_build *read_build(struct world *w, const json_t *ref)
{
	struct known_build *k = xcalloc(1, sizeof(*k));
	sqlite3_stmt *s = json_is_string(ref) ? db_query(w->db, BUILD_SELECT "WHERE b.name = ?1",
	                                                 "s", json_string_value(ref))
	                                      : db_query(w->db, BUILD_SELECT "WHERE b.id = ?1", "i",
	                                                 (int64_t)json_integer_value(ref));
	int rc = db_step(w->db, s, &w->err);

	k->ref = json_deep_copy(ref);
	if (rc < 0)
		w->failed = -1;
	if (rc < 1)
		return k;
	k->build = (struct plan_build){.id = db_int(s, 0),
	                               .name = keep(w, s, 1),
	                               .release = db_text_or_null(s, 2) ? keep(w, s, 2) : NULL,
	                               .arch = keep(w, s, 3),
	                               .files = db_int(s, 4) > 0,
	                               .kernel = db_int(s, 5) > 0,
	                               .pending = strcmp(db_text(s, 6), "waiting") == 0 ||
	                                          strcmp(db_text(s, 6), "building") == 0,
	                               .failed = strcmp(db_text(s, 6), "failed") == 0};
	return k;
}

static const struct plan_build *find_build(void *arg, const json_t *ref)
{
	struct world *w = arg;
	struct known_build *k = w->builds;

	while (k && !json_equal(k->ref, ref))
		k = k->next;
	if (!k && w->db) {
		k = read_build(w, ref);
		k->next = w->builds;
		w->builds = k;
	}
	return k && k->build.id ? &k->build : NULL;
}

/* --- series --- */

static json_t *read_patches(struct world *w, int64_t revision)
{
	sqlite3_stmt *s = db_query(w->db, "SELECT sha256 FROM patch WHERE revision = ?1 ORDER BY n",
	                           "i", revision);
	json_t *list = json_array();
	int rc;

	while ((rc = db_step(w->db, s, &w->err)) == 1)
		(void)json_array_append_new(list, json_string(db_text(s, 0)));
	if (rc < 0)
		w->failed = -1;
	return list;
}

static void read_revisions(struct world *w, struct known_series *k)
{
	sqlite3_stmt *s = db_query(w->db,
	                           "SELECT id, version, label, base_commit FROM revision WHERE "
	                           "series = ?1 ORDER BY version",
	                           "i", k->series.id);
	size_t count = 0;
	int rc;

	while ((rc = db_step(w->db, s, &w->err)) == 1) {
		k->revisions = xrealloc(k->revisions, (count + 1) * sizeof(*k->revisions));
		k->revisions[count++] = (struct plan_revision){
			.id = db_int(s, 0),
			.version = db_int(s, 1),
			.label = keep(w, s, 2),
			.base_commit = db_text_or_null(s, 3) ? keep(w, s, 3) : NULL};
	}
	if (rc < 0)
		w->failed = -1;
	for (size_t i = 0; i < count; i++)
		k->revisions[i].patches = read_patches(w, k->revisions[i].id);
	k->series.revisions = k->revisions;
	k->series.count = count;
}

#define SERIES_SELECT "SELECT id, name FROM series "

static struct known_series *read_series(struct world *w, const json_t *ref)
{
	struct known_series *k = xcalloc(1, sizeof(*k));
	sqlite3_stmt *s = json_is_string(ref) ? db_query(w->db, SERIES_SELECT "WHERE name = ?1",
	                                                 "s", json_string_value(ref))
	                                      : db_query(w->db, SERIES_SELECT "WHERE id = ?1", "i",
	                                                 (int64_t)json_integer_value(ref));
	int rc = db_step(w->db, s, &w->err);

	k->ref = json_deep_copy(ref);
	if (rc < 0)
		w->failed = -1;
	if (rc < 1)
		return k;
	k->series = (struct plan_series){.id = db_int(s, 0), .name = keep(w, s, 1)};
	read_revisions(w, k);
	return k;
}

static const struct plan_series *find_series(void *arg, const json_t *ref)
{
	struct world *w = arg;
	struct known_series *k = w->series;

	while (k && !json_equal(k->ref, ref))
		k = k->next;
	if (!k && w->db) {
		k = read_series(w, ref);
		k->next = w->series;
		w->series = k;
	}
	return k && k->series.id ? &k->series : NULL;
}

/* --- the whole --- */

struct world *world_load(struct db *db, const struct world_config *config, struct err *err)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->db = db;
	w->plan = (struct plan_world){.suites = config->suites,
	                              .kernels = config->kernels,
	                              .controls = config->controls,
	                              .series = find_series,
	                              .build = find_build,
	                              .arg = w};
	if (load_boards(w, err) == 0)
		return w;
	world_free(w);
	return NULL;
}

const struct plan_world *world_plan(const struct world *world)
{
	return &world->plan;
}

int world_close(struct world *world, struct err *err)
{
	world->db = NULL;
	if (world->failed)
		*err = world->err;
	return world->failed;
}

void world_free(struct world *w)
{
	if (!w)
		return;
	free(w->boards);
	while (w->builds) {
		struct known_build *k = w->builds;

		w->builds = k->next;
		json_decref(k->ref);
		free(k);
	}
	while (w->series) {
		struct known_series *k = w->series;

		w->series = k->next;
		for (size_t i = 0; i < k->series.count; i++)
			json_decref(k->revisions[i].patches);
		free(k->revisions);
		json_decref(k->ref);
		free(k);
	}
	intern_release(&w->texts);
	free(w);
}
