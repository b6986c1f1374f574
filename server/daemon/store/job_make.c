#include "server/daemon/store/job_make.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/glob.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/jobs.h"
#include "server/daemon/store/store.h"
#include "server/daemon/store/world.h"

#include <string.h>

#define LATEST "latest:"

/* ---- The latest build ---- */

static bool is_latest(const json_t *ref)
{
	const char *text = json_string_value(ref);

	return text && strncmp(text, LATEST, strlen(LATEST)) == 0;
}

/* The newest complete build of "SERIES" or "SERIES/PATTERN": its name, owned by the caller. NULL: none, or *rc is -1. */
static char *latest_name(struct db *db, const char *what, int *rc, struct err *err)
{
	size_t len = strcspn(what, "/");
	SCOPED_STR series = xstrndup(what, len);
	const char *pattern = what[len] == '/' ? what + len + 1 : "*";
	sqlite3_stmt *s = db_query(db,
	                           "SELECT name FROM build WHERE state = 'complete' AND"
	                           " (series = ?1 OR revision_id IN (SELECT r.id FROM revision r"
	                           " JOIN series s ON s.id = r.series WHERE s.name = ?1))"
	                           " ORDER BY id DESC",
	                           "s", series);

	while ((*rc = db_step(db, s, err)) == 1)
		if (glob_match(pattern, db_text(s, 0)))
			return xstrdup(db_text(s, 0));
	return NULL;
}

static int resolve_list(struct db *db, json_t *builds, const char *pointer,
                        struct jx_errors *errors, struct err *err)
{
	json_t *ref;
	size_t i;

	json_array_foreach(builds, i, ref)
	{
		SCOPED_STR name = NULL;
		int rc = 0;

		if (!is_latest(ref))
			continue;
		name = latest_name(db, json_string_value(ref) + strlen(LATEST), &rc, err);
		if (rc < 0)
			return -1;
		if (name) {
			(void)json_array_set_new(builds, i, json_string(name));
		} else {
			SCOPED_STR at = xasprintf("%s/%zu", pointer, i);

			jx_complain(errors, at, "there is no complete build for '%s'",
			            json_string_value(ref));
		}
	}
	return 0;
}

/* A label a column, when there is a reference among them: the reference, or the name of the build. */
static json_t *labels_of(const json_t *builds)
{
	SCOPED_JSON labels = json_array();
	bool any = false;
	json_t *ref;
	size_t i;

	json_array_foreach(builds, i, ref)
	{
		const char *text = json_string_value(ref);

		if (!text)
			return NULL;
		any |= is_latest(ref);
		(void)json_array_append_new(
			labels, json_string(is_latest(ref) ? text + strlen(LATEST) : text));
	}
	return any ? take_json(&labels) : NULL;
}

int job_latest(struct db *db, json_t *doc, struct jx_errors *errors, struct err *err)
{
	json_t *plain = json_object_get(doc, "builds"), *builds;
	json_t *by_cache = json_object_get(doc, "builds_by_cache");
	const char *class;
	void *iter = json_object_iter(by_cache);
	SCOPED_JSON labels = labels_of(plain ? plain : json_object_iter_value(iter));

	if (labels && !json_object_get(doc, "labels"))
		(void)json_object_set(doc, "labels", labels);
	if (resolve_list(db, plain, "/builds", errors, err) < 0)
		return -1;
	json_object_foreach(by_cache, class, builds)
	{
		SCOPED_STR at = xasprintf("/builds_by_cache/%.64s", class);

		if (resolve_list(db, builds, at, errors, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- The job ---- */

int job_make(struct db *db, const struct world_config *config, json_t *doc, int64_t now_us,
             int64_t *job, struct jx_errors *errors, struct err *err)
{
	struct world *world = world_load(db, config, err);
	struct submission submission;
	struct plan *plan;
	int rc;

	if (!world)
		return -1;
	(void)submission_read(doc, &submission, errors);
	plan = plan_make(&submission, world_plan(world), errors);
	rc = world_close(world, err);
	if (job)
		*job = 0;
	if (rc == 0 && plan && job) {
		SCOPED_STR text = jx_text(doc);

		rc = job_insert(db, plan, text, now_us, job, err);
	}
	plan_free(plan);
	world_free(world);
	return rc;
}
