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

struct world {
	struct plan_world plan;
	struct db *db;       /* NULL once closed */
	struct intern texts; /* of boards and builds */
	struct plan_board *boards;
	struct known_build *builds;
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

static struct plan_board read_board(struct world *w, sqlite3_stmt *s)
{
	return (struct plan_board){.name = keep(w, s, 0),
	                           .kind = keep(w, s, 1),
	                           .cache = keep(w, s, 2),
	                           .arch = keep(w, s, 3),
	                           .tags = keep(w, s, 4),
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
	"'kernel') FROM build b "

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
	                               .kernel = db_int(s, 5) > 0};
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

/* --- the whole --- */

struct world *world_load(struct db *db, const struct suites *suites, struct err *err)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->db = db;
	w->plan = (struct plan_world){.suites = suites, .build = find_build, .arg = w};
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
	intern_release(&w->texts);
	free(w);
}
