/* Rounds until it is decided: when runs have ended, look at the jobs that may want more of them. */
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm_private.h"
#include "server/daemon/store/rounds.h"
#include "server/daemon/store/store.h"

struct decide {
	json_t *jobs, *decisions; /* arrays */
	int64_t wall, made;
};

static int job_take(void *arg, int64_t job)
{
	struct decide *d = arg;

	(void)json_array_append_new(d->jobs, json_integer(job));
	return 0;
}

static int decide_read(struct farm *farm, struct db *db, struct decide *d, struct err *err)
{
	const struct rounds_config config = {
		.suites = farm->config.suites, .now_us = farm->wall, .closed = farm->closed};
	json_t *job;
	size_t i;

	if (rounds_jobs(db, job_take, d, err) < 0)
		return -1;
	json_array_foreach(d->jobs, i, job)
	{
		json_t *decision = rounds_decide(db, json_integer_value(job), &config, err);

		if (!decision)
			return -1;
		/* With nothing to make and something busy there is nothing to do yet. */
		if (json_array_size(json_object_get(decision, "rounds")) > 0 ||
		    json_integer_value(json_object_get(decision, "busy")) == 0)
			(void)json_array_append_new(d->decisions, decision);
		else
			json_decref(decision);
	}
	return 0;
}

static int decide_write(struct db *db, void *arg, struct err *err)
{
	struct decide *d = arg;
	json_t *decision;
	int64_t made;
	size_t i;

	json_array_foreach(d->decisions, i, decision)
	{
		if (rounds_make(db, decision, d->wall, &made, err) < 0)
			return -1;
		d->made += made;
	}
	return 0;
}

void decide_pass(struct farm *farm)
{
	SCOPED_JSON jobs = json_array();
	SCOPED_JSON decisions = json_array();
	struct decide d = {.jobs = jobs, .decisions = decisions, .wall = farm->wall};
	struct store *store = farm->config.store;
	struct db *db = store_read_begin(store);
	struct err err;
	int rc = decide_read(farm, db, &d, &err);

	store_read_end(store, db);
	if (rc == 0 && json_array_size(jobs) == 0)
		(void)json_object_clear(farm->closed); /* ids never come again */
	if (rc == 0 && json_array_size(decisions) > 0)
		rc = store_write(store, decide_write, &d, &err);
	farm->decide = false;
	if (d.made > 0)
		farm->look = farm->again = true;
	if (rc == 0)
		return;
	log_error("the farm: %s", err.text);
	farm->decide = true;
	farm->retry_at = farm->mono + FARM_RETRY;
}
