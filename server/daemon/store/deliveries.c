#include "server/daemon/store/deliveries.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/columns.h"

#include <inttypes.h>
#include <string.h>

int deliveries_add(struct db *db, const struct delivery_new *d, int64_t now_us, bool *made,
                   struct err *err)
{
	int64_t added;

	if (db_exec(db, err, &added,
	            "INSERT INTO delivery (kind, target, subject, message_id, message, state,"
	            " next_try, created, detail, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?7, ?6, ?6,"
	            " coalesce(?8, ''), ?9) ON CONFLICT (message_id) DO NOTHING",
	            "sssssissI", d->kind, d->target, d->subject, d->message_id, d->message, now_us,
	            d->refused ? "failed" : "queued", d->refused, d->refused ? &now_us : NULL) < 0)
		return -1;
	if (made)
		*made = added > 0;
	return 0;
}

void delivery_release(struct delivery *d)
{
	free(d->target);
	free(d->subject);
	free(d->message_id);
	free(d->message);
	memset(d, 0, sizeof(*d));
}

int deliveries_next(struct db *db, const char *kind, int64_t now_us, struct delivery *out,
                    int64_t *due, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT id, next_try, target, subject, message_id, message FROM"
	                 " delivery WHERE kind = ?1 AND ended IS NULL AND state = 'queued'"
	                 " ORDER BY next_try, id",
	                 "s", kind);
	int rc;

	*due = INT64_MAX;
	memset(out, 0, sizeof(*out));
	while ((rc = db_step(db, s, err)) == 1) {
		if (*due == INT64_MAX)
			*due = db_int(s, 1);
		if (!delivery_due(db_int(s, 1), now_us))
			continue;
		*out = (struct delivery){.id = db_int(s, 0),
		                         .target = xstrdup(db_text(s, 2)),
		                         .subject = xstrdup(db_text(s, 3)),
		                         .message_id = xstrdup(db_text(s, 4)),
		                         .message = xstrdup(db_text(s, 5))};
		return 1;
	}
	return rc;
}

static int state_load(struct db *db, int64_t id, struct delivery_state *state, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db, "SELECT state, tries, doubt, next_try FROM delivery WHERE id = ?1", "i", id);
	int rc = db_step(db, s, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such delivery: %" PRId64, id);
	if (rc < 0)
		return -1;
	*state = (struct delivery_state){
		.tries = db_int(s, 1), .doubt = db_int(s, 2), .next_try = db_int(s, 3)};
	if (!delivery_phase_parse(db_text(s, 0), &state->phase))
		return err_set(err, ERR_IO, "delivery %" PRId64 ": state '%s'", id, db_text(s, 0));
	return 0;
}

int deliveries_apply(struct db *db, int64_t id, enum delivery_event event, const char *detail,
                     int64_t now_us, bool *applied, struct err *err)
{
	struct delivery_state state;
	const int64_t *ended;
	bool did;

	if (state_load(db, id, &state, err) < 0)
		return -1;
	did = delivery_apply(&state, event, now_us);
	if (applied)
		*applied = did;
	if (!did)
		return 0;
	ended = state.phase == DELIVERY_SENT || state.phase == DELIVERY_FAILED ? &now_us : NULL;
	return db_exec(db, err, NULL,
	               "UPDATE delivery SET state = ?2, tries = ?3, doubt = ?4, next_try = ?5,"
	               " ended = ?6, detail = coalesce(?7, detail) WHERE id = ?1",
	               "isiiiIs", id, delivery_phase_name(state.phase), state.tries, state.doubt,
	               state.next_try, ended, detail);
}

int deliveries_recover(struct db *db, const char *kind, int64_t now_us, struct err *err)
{
	for (;;) {
		sqlite3_stmt *s =
			db_query(db,
		                 "SELECT id FROM delivery WHERE kind = ?1 AND ended IS NULL"
		                 " AND state IN ('sending', 'handed') LIMIT 1",
		                 "s", kind);
		int rc = db_step(db, s, err);

		if (rc < 1)
			return rc;
		if (deliveries_apply(db, db_int(s, 0), DELIVERY_EV_LOST,
		                     "cohortd ended while it was under way", now_us, NULL, err) < 0)
			return -1;
	}
}

int deliveries_waiting(struct db *db, const char *kind, const char *target, int64_t *count,
                       struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT count(*) FROM delivery WHERE kind = ?1 AND target = ?2"
	                           " AND ended IS NULL",
	                           "ss", kind, target);

	if (db_step(db, s, err) < 1)
		return -1;
	*count = db_int(s, 0);
	return 0;
}

json_t *deliveries_list(struct db *db, const char *kind, const char *state, int64_t before,
                        int64_t limit, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT id, kind, target, subject, message_id, state, tries,"
	                           " doubt, next_try, detail, created, ended FROM delivery WHERE"
	                           " id < ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR state"
	                           " = ?3) ORDER BY id DESC LIMIT ?4",
	                           "issi", before, kind, state, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(
			list,
			json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:s, s:o, s:o}",
		                  "id", (json_int_t)db_int(s, 0), "kind", db_text(s, 1), "target",
		                  db_text(s, 2), "subject", db_text(s, 3), "message_id",
		                  db_text(s, 4), "state", db_text(s, 5), "tries",
		                  (json_int_t)db_int(s, 6), "doubt", (json_int_t)db_int(s, 7),
		                  "next_try", column_time(s, 8), "detail", db_text(s, 9), "created",
		                  column_time(s, 10), "ended", column_time(s, 11)));
	return rc < 0 ? NULL : take_json(&list);
}
