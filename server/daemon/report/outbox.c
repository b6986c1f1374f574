#include "server/daemon/report/outbox.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/report/fields.h"
#include "server/daemon/store/meta.h"
#include "server/daemon/store/outbox.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>

#define BATCH  20
#define CURSOR "hooks_cursor"
#define STEP   200 /* events without news behind which the cursor is moved all the same */

struct taking {
	const struct hooks *hooks;
	int64_t now, cursor, last; /* cursor: -1: there is none yet */
	json_t *bodies; /* owned: [{"event": id, "kind": enum hook_event, "body": {...}}] */
	bool made;
};

static json_t *job_json(const json_t *job)
{
	static const char *const members[] = {"id",      "name",    "state",   "complete",
	                                      "planned", "arrived", "verdicts"};
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		(void)json_object_set(out, members[i], json_object_get(job, members[i]));
	return out;
}

static void body_add(struct taking *t, const json_t *ended, const json_t *facts,
                     enum hook_event kind)
{
	const json_t *schedule = json_object_get(facts, "schedule");
	json_t *body = json_pack("{s:s, s:O, s:o, s:s?, s:s}", "event", hook_event_name(kind),
	                         "time", json_object_get(ended, "time"), "job",
	                         job_json(json_object_get(facts, "job")), "schedule",
	                         json_string_value(schedule), "headline",
	                         field_text(json_object_get(facts, "compare"), "headline"));

	if (kind == HOOK_VERDICT_CHANGED) {
		(void)json_object_set(body, "before",
		                      json_object_get(json_object_get(facts, "before"), "id"));
		(void)json_object_set(body, "changes",
		                      json_object_get(json_object_get(facts, "since"), "matrix"));
	}
	(void)json_array_append_new(t->bodies, json_pack("{s:O, s:i, s:o}", "event",
	                                                 json_object_get(ended, "event"), "kind",
	                                                 (int)kind, "body", body));
}

static int bodies_read(struct db *db, struct taking *t, const struct facts_source *source,
                       struct err *err)
{
	SCOPED_JSON ended = outbox_ended(db, t->cursor, BATCH, &t->last, err);
	const json_t *one;
	size_t i;

	if (!ended)
		return -1;
	json_array_foreach(ended, i, one)
	{
		SCOPED_JSON facts = facts_summary(db, source, field_int(one, "job"), err);

		/* A comparison that is too big to be made is no reason to say nothing for ever. */
		if (!facts && err->kind != ERR_TOOBIG && err->kind != ERR_NOTFOUND)
			return -1;
		if (!facts)
			continue;
		body_add(t, one, facts, HOOK_JOB_ENDED);
		if (json_array_size(json_object_get(json_object_get(facts, "since"), "matrix")) > 0)
			body_add(t, one, facts, HOOK_VERDICT_CHANGED);
	}
	return 0;
}

static int hook_add(struct db *db, struct taking *t, const struct hook *hook, const json_t *one,
                    struct err *err)
{
	const enum hook_event kind = (enum hook_event)field_int(one, "kind");
	SCOPED_STR id = xasprintf("%s-%lld-%s", hook_event_name(kind),
	                          (long long)field_int(one, "event"), hook->name);
	SCOPED_JSON body = json_copy(json_object_get(one, "body"));
	SCOPED_STR text = NULL;
	struct delivery_new delivery;
	int64_t waiting;

	(void)json_object_set_new(body, "delivery", json_string(id));
	text = jx_text(body);
	if (deliveries_waiting(db, "hook", hook->name, &waiting, err) < 0)
		return -1;
	delivery = (struct delivery_new){
		.kind = "hook",
		.target = hook->name,
		.subject = hook_event_name(kind),
		.message_id = id,
		.message = text,
		.refused = waiting < HOOK_WAITING ? NULL : "too many wait for this webhook"};
	return deliveries_add(db, &delivery, t->now, NULL, err);
}

static int taking_write(struct db *db, void *arg, struct err *err)
{
	struct taking *t = arg;
	const json_t *one;
	size_t i;

	json_array_foreach(t->bodies, i, one)
	{
		for (size_t h = 0; h < t->hooks->count; h++) {
			if (!(t->hooks->list[h].events & (unsigned)field_int(one, "kind")))
				continue;
			if (hook_add(db, t, &t->hooks->list[h], one, err) < 0)
				return -1;
			t->made = true;
		}
	}
	return meta_int_set(db, CURSOR, t->last, err);
}

int outbox_step(struct store *store, const struct hooks *hooks, const struct facts_source *source,
                int64_t now_us, bool *made, struct err *err)
{
	struct taking t = {.hooks = hooks, .now = now_us, .cursor = -1, .bodies = json_array()};
	struct db *db = store_read_begin(store);
	int rc = meta_int(db, CURSOR, &t.cursor, err);

	/* A first start tells nothing about the past. */
	t.last = store_event_last(store);
	if (rc == 0 && t.cursor >= 0 && t.last > t.cursor)
		rc = bodies_read(db, &t, source, err);
	store_read_end(store, db);
	if (rc == 0 && (t.cursor < 0 || json_array_size(t.bodies) > 0 || t.last - t.cursor > STEP))
		rc = store_write(store, taking_write, &t, err);
	*made = rc == 0 && t.made;
	json_decref(t.bodies);
	return rc;
}
