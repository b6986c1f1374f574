#include "server/daemon/store/outbox.h"

#include "common/scoped.h"
#include "server/daemon/store/columns.h"

json_t *outbox_ended(struct db *db, int64_t after, int64_t limit, int64_t *last, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT coalesce(max(id), ?1) FROM event", "i", after);
	SCOPED_JSON list = json_array();
	int64_t newest;
	int rc;

	if (db_step(db, s, err) < 1)
		return NULL;
	newest = db_int(s, 0);
	s = db_query(
		db,
		"SELECT id, job, time FROM event WHERE id > ?1 AND id <= ?2 AND kind = 'job' AND"
		" json_extract(data, '$.state') IN ('done', 'cancelled') ORDER BY id LIMIT ?3",
		"iii", after, newest, limit);
	*last = after;
	while ((rc = db_step(db, s, err)) == 1) {
		*last = db_int(s, 0);
		(void)json_array_append_new(
			list, json_pack("{s:I, s:I, s:o}", "event", (json_int_t)db_int(s, 0), "job",
		                        (json_int_t)db_int(s, 1), "time", column_time(s, 2)));
	}
	if (rc == 0 && (int64_t)json_array_size(list) < limit)
		*last = newest;
	return rc < 0 ? NULL : take_json(&list);
}

static int jobs_read(struct db *db, json_t *jobs, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT r.id, s.name, r.job FROM schedule_run r JOIN schedule s ON s.id = r.schedule"
		" JOIN job j ON j.id = r.job WHERE r.digest IS NULL AND s.report = 1 AND"
		" j.state IN ('done', 'cancelled') ORDER BY r.job",
		"");
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(jobs, json_pack("{s:I, s:s, s:I}", "row",
		                                            (json_int_t)db_int(s, 0), "schedule",
		                                            db_text(s, 1), "job",
		                                            (json_int_t)db_int(s, 2)));
	return rc;
}

static int skipped_read(struct db *db, json_t *skipped, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT r.id, s.name, r.instant, r.count, r.why FROM schedule_run r JOIN schedule s"
		" ON s.id = r.schedule WHERE r.digest IS NULL AND s.report = 1 AND r.outcome ="
		" 'skipped' ORDER BY r.id",
		"");
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(
			skipped,
			json_pack("{s:I, s:s, s:o, s:I, s:s}", "row", (json_int_t)db_int(s, 0),
		                  "schedule", db_text(s, 1), "instant", column_time(s, 2), "count",
		                  (json_int_t)db_int(s, 3), "why", db_text(s, 4)));
	return rc;
}

json_t *outbox_digest(struct db *db, struct err *err)
{
	SCOPED_JSON out = json_pack("{s:[], s:[]}", "jobs", "skipped");

	if (jobs_read(db, json_object_get(out, "jobs"), err) < 0 ||
	    skipped_read(db, json_object_get(out, "skipped"), err) < 0)
		return NULL;
	return take_json(&out);
}

int outbox_told(struct db *db, int64_t row, const char *message_id, struct err *err)
{
	return db_exec(
		db, err, NULL,
		"UPDATE schedule_run SET digest = (SELECT id FROM delivery WHERE message_id ="
		" ?2) WHERE id = ?1 AND digest IS NULL",
		"is", row, message_id);
}

int outbox_begin(struct db *db, struct err *err)
{
	return db_exec(
		db, err, NULL,
		"UPDATE schedule_run SET digest = 0 WHERE digest IS NULL AND (job IS NULL OR job"
		" IN (SELECT id FROM job WHERE state IN ('done', 'cancelled')))",
		"");
}
