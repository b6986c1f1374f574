#include "server/daemon/report/facts.h"

#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/http/excerpt.h"
#include "server/daemon/report/fields.h"
#include "server/daemon/report/findings.h"
#include "server/daemon/report/record.h"
#include "server/daemon/report/since.h"
#include "server/daemon/store/compare.h"
#include "server/daemon/store/jobs.h"
#include "server/daemon/store/results.h"
#include "server/daemon/store/schedules.h"

#define LOOK_AT 20 /* findings whose evidence is read: more than fit on three screens */

/* The name of the build of the result's column. */
static const char *build_of(const json_t *job, const json_t *result)
{
	json_t *build;
	size_t i;

	json_array_foreach(json_object_get(job, "builds"), i, build)
	{
		if (field_int(build, "id") == field_int(result, "build"))
			return field_text(build, "name");
	}
	return "";
}

/* Put into the finding what its result has to say. */
static int finding_fill(struct db *db, const struct facts_source *source, const json_t *job,
                        json_t *finding, struct err *err)
{
	static const char *const members[] = {"board", "run",      "trials",
	                                      "bad",   "evidence", "reason"};
	int64_t id = field_int(finding, "result");
	struct result_window window;
	SCOPED_JSON result = NULL;
	SCOPED_STR excerpt = NULL;

	if (result_window(db, id, &window, err) < 0)
		return -1;
	result = result_view(db, id, err);
	if (!result)
		return -1;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		(void)json_object_set(finding, members[i], json_object_get(result, members[i]));
	(void)json_object_set_new(finding, "build", json_string(build_of(job, result)));
	excerpt = log_excerpt_read(source->state_dir, window.run, window.attempt, window.from_us,
	                           window.to_us);
	(void)json_object_set_new(finding, "log_excerpt", json_string(excerpt));
	return 0;
}

static int findings_load(struct db *db, const struct facts_source *source, json_t *facts,
                         struct err *err)
{
	SCOPED_JSON all = findings_make(json_object_get(facts, "compare"));
	json_t *told = json_array(), *one;
	json_int_t without = 0;
	size_t i;

	(void)json_object_set_new(facts, "findings", told);
	json_array_foreach(all, i, one)
	{
		if (i < LOOK_AT &&
		    finding_fill(db, source, json_object_get(facts, "job"), one, err) < 0)
			return -1;
		if (i >= LOOK_AT || record_there(one))
			(void)json_array_append(told, one);
		else
			without++;
	}
	(void)json_object_set_new(facts, "without", json_integer(without));
	return 0;
}

static json_t *compare_of(struct db *db, const struct facts_source *source, int64_t job,
                          struct err *err)
{
	const struct compare_query query = {
		.job = job, .suites = source->suites, .now_us = source->now_us};

	return compare_document(db, &query, err);
}

static int before_load(struct db *db, const struct facts_source *source,
                       const struct schedules_job *scheduled, json_t *facts, struct err *err)
{
	SCOPED_JSON compare = compare_of(db, source, scheduled->before, err);
	char created[32];

	if (!compare)
		return -1;
	time_format(scheduled->before_created, created);
	(void)json_object_set_new(facts, "since",
	                          since_make(json_object_get(facts, "compare"), compare));
	(void)json_object_set_new(
		facts, "before",
		json_pack("{s:I, s:s}", "id", (json_int_t)scheduled->before, "created", created));
	return 0;
}

json_t *facts_summary(struct db *db, const struct facts_source *source, int64_t id, struct err *err)
{
	SCOPED_JSON facts = json_object();
	SCOPED_JSON job = job_view(db, id, err);
	SCOPED_JSON compare = job ? compare_of(db, source, id, err) : NULL;
	struct schedules_job scheduled;
	int rc;

	if (!compare || schedules_of_job(db, id, &scheduled, err) < 0)
		return NULL;
	(void)json_object_set(facts, "job", job);
	(void)json_object_set(facts, "compare", compare);
	if (scheduled.name)
		(void)json_object_set_new(facts, "schedule", json_string(scheduled.name));
	rc = scheduled.before ? before_load(db, source, &scheduled, facts, err) : 0;
	free(scheduled.name);
	return rc < 0 ? NULL : take_json(&facts);
}

json_t *facts_load(struct db *db, const struct facts_source *source, int64_t id, struct err *err)
{
	SCOPED_JSON facts = facts_summary(db, source, id, err);

	if (!facts || findings_load(db, source, facts, err) < 0)
		return NULL;
	return take_json(&facts);
}
