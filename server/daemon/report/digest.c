#include "server/daemon/report/digest.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/report/fields.h"
#include "server/daemon/report/findings.h"
#include "server/daemon/report/mail.h"
#include "server/daemon/report/page.h"
#include "server/daemon/store/deliveries.h"
#include "server/daemon/store/meta.h"
#include "server/daemon/store/outbox.h"
#include "server/daemon/store/store.h"

#include <string.h>

#define SECOND        INT64_C(1000000)
#define DAY_US        (86400 * SECOND)
#define SKIPPED_LINES 8
#define JOBS_MAX      8 /* whose evidence is read; of more, the newest */

/* ---- The text ---- */

/* "1 regressed, 2 fixed" over all jobs; the caller frees it. */
static char *counts_text(const json_t *jobs)
{
	char *text = xstrdup("");
	json_t *facts, *finding;
	size_t i, k;

	for (size_t c = 0; findings_change(c); c++) {
		size_t n = 0;

		json_array_foreach(jobs, i, facts)
		{
			json_array_foreach(json_object_get(facts, "findings"), k, finding)
			{
				n += field_is(finding, "change", findings_change(c));
			}
		}
		if (n > 0) {
			char *longer = xasprintf("%s%s%zu %s", text, *text ? ", " : "", n,
			                         findings_change(c));

			free(text);
			text = longer;
		}
	}
	return text;
}

static char *subject_of(const json_t *jobs)
{
	SCOPED_STR counts = counts_text(jobs);
	const json_t *one = json_array_get(jobs, 0);

	if (json_array_size(jobs) > 1)
		return xasprintf("[cohort] %zu jobs: %s", json_array_size(jobs),
		                 *counts ? counts : "nothing failed");
	return xasprintf("[cohort] %s: %s", field_text(json_object_get(one, "job"), "name"),
	                 *counts ? counts : "nothing failed");
}

static void skipped_lines(struct page *page, const json_t *skipped)
{
	size_t count = json_array_size(skipped), i;
	const json_t *one;

	if (count == 0)
		return;
	page_line(page, "Not run since the last mail:");
	json_array_foreach(skipped, i, one)
	{
		if (i == SKIPPED_LINES - 2 && count > SKIPPED_LINES - 1) {
			page_line(page, "  ... and %zu more: see the page of schedules", count - i);
			break;
		}
		page_line(page, "  %s, %.10s %.5sZ%s: %s", field_text(one, "schedule"),
		          field_text(one, "instant"), field_text(one, "instant") + 11,
		          field_int(one, "count") > 1 ? " and before" : "", field_text(one, "why"));
	}
	page_line(page, "%s", "");
}

/* A line a job, and as many reports as there is room for; at least one. */
static void several(struct page *page, const json_t *jobs, const struct report_style *style)
{
	json_t *facts;
	size_t i;

	json_array_foreach(jobs, i, facts)
	{
		page_line(page, "job %lld, %s",
		          (long long)field_int(json_object_get(facts, "job"), "id"),
		          field_text(json_object_get(facts, "compare"), "headline"));
	}
	page_line(page, "(cohort report JOB prints what is not below)");
	page_line(page, "%s", "");
	json_array_foreach(jobs, i, facts)
	{
		struct page part = {0};

		report_text(&part, facts, style);
		if (i == 0 || page->lines + part.lines + 1 <= style->lines) {
			page_add(page, &part);
			page_line(page, "%s", "");
		}
		page_release(&part);
	}
}

char *digest_text(struct page *page, const json_t *digest, const struct report_style *style)
{
	const json_t *jobs = json_object_get(digest, "jobs");
	struct report_style rest = *style;
	struct page skipped = {0};

	skipped_lines(&skipped, json_object_get(digest, "skipped"));
	if (field_int(digest, "more") > 0)
		page_line(&skipped,
		          "%lld older jobs ended since the last mail; see the page of schedules",
		          (long long)field_int(digest, "more"));
	rest.lines = style->lines - skipped.lines - 3; /* an empty line, and the signature */
	if (json_array_size(jobs) == 1) {
		report_text(page, json_array_get(jobs, 0), &rest);
		page_line(page, "%s", "");
	} else {
		rest.lines -= json_array_size(jobs) + 2;
		several(page, jobs, &rest);
	}
	page_add(page, &skipped);
	page_release(&skipped);
	page_signature(page, "Cohort " COHORT_VERSION);
	return subject_of(jobs);
}

/* ---- Making it ---- */

struct making {
	const struct digest_config *config;
	int64_t now, instant;
	json_t *rows, *digest; /* owned */
	bool made;
};

/* Read the facts of the newest jobs. A job without one result is no evidence of anything. */
static int facts_read(struct db *db, struct making *m, struct err *err)
{
	const json_t *jobs = json_object_get(m->rows, "jobs"), *one;
	size_t count = json_array_size(jobs), i;
	json_t *list = json_array();

	m->digest = json_pack("{s:o, s:O, s:I}", "jobs", list, "skipped",
	                      json_object_get(m->rows, "skipped"), "more",
	                      (json_int_t)(count > JOBS_MAX ? count - JOBS_MAX : 0));
	json_array_foreach(jobs, i, one)
	{
		json_t *facts;

		if (i + JOBS_MAX < count)
			continue;
		facts = facts_load(db, &m->config->source, field_int(one, "job"), err);
		if (!facts)
			return -1;
		if (field_int(json_object_get(facts, "job"), "arrived") > 0)
			(void)json_array_append(list, facts);
		json_decref(facts);
	}
	return 0;
}

static int rows_told(struct db *db, const struct making *m, const char *message_id, struct err *err)
{
	static const char *const lists[] = {"jobs", "skipped"};
	const json_t *one;
	size_t i;

	for (size_t k = 0; k < 2; k++) {
		json_array_foreach(json_object_get(m->rows, lists[k]), i, one)
		{
			if (outbox_told(db, field_int(one, "row"), message_id, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* "digest.20260504.0500.INSTANCE@DOMAIN": of the instant, so that there is one. */
static char *message_id_of(struct db *db, const struct making *m, struct err *err)
{
	const char *from = m->config->style.from;
	char instance[17], when[32];

	if (meta_random(db, "instance", instance, err) < 0)
		return NULL;
	time_format(m->instant, when);
	return xasprintf("digest.%.4s%.2s%.2s.%.2s%.2s.%s@%s", when, when + 5, when + 8, when + 11,
	                 when + 14, instance, strchr(from, '@') + 1);
}

static int digest_write(struct db *db, void *arg, struct err *err)
{
	struct making *m = arg;
	SCOPED_STR message_id = message_id_of(db, m, err);
	SCOPED_STR subject = NULL;
	SCOPED_STR text = NULL;
	SCOPED_STR to = NULL;
	struct page page = {0};
	struct mail mail;

	if (!message_id || meta_int_set(db, "digest_seen", m->instant, err) < 0)
		return -1;
	if (json_array_size(json_object_get(m->digest, "jobs")) == 0)
		return 0;
	subject = digest_text(&page, m->digest, &m->config->style);
	mail = (struct mail){.from = m->config->style.from,
	                     .to = m->config->to,
	                     .subject = subject,
	                     .message_id = message_id,
	                     .date = m->now,
	                     .body = page.text};
	text = mail_text(&mail);
	to = mail_recipients(m->config->to);
	page_release(&page);
	if (deliveries_add(db,
	                   &(struct delivery_new){.kind = "mail",
	                                          .target = to,
	                                          .subject = subject,
	                                          .message_id = message_id,
	                                          .message = text},
	                   m->now, &m->made, err) < 0)
		return -1;
	return m->made ? rows_told(db, m, message_id, err) : 0;
}

static int seen_read(struct db *db, const struct digest_config *config, int64_t now,
                     int64_t *instant, bool *first, struct err *err)
{
	struct nightly_plan plan = config->at;
	struct nightly_decision d;

	plan.seen = INT64_MIN;
	plan.catch_up = true;
	if (meta_int(db, "digest_seen", &plan.seen, err) < 0)
		return -1;
	*first = plan.seen == INT64_MIN;
	/* A clock that was days ahead: what it has seen is of no use. */
	if (*first || plan.seen > now + 2 * DAY_US)
		plan.seen = now - (*first ? 0 : DAY_US);
	d = nightly_decide(&plan, now, false);
	*instant = d.verdict == NIGHTLY_NOTHING ? 0 : d.instant;
	return 0;
}

static int look(struct db *db, struct making *m, bool *first, struct err *err)
{
	if (seen_read(db, m->config, m->now, &m->instant, first, err) < 0)
		return -1;
	if (m->instant == 0)
		return 0;
	m->rows = outbox_digest(db, err);
	return m->rows ? facts_read(db, m, err) : -1;
}

static int first_write(struct db *db, void *arg, struct err *err)
{
	const struct making *m = arg;

	if (outbox_begin(db, err) < 0)
		return -1;
	return meta_int_set(db, "digest_seen", m->now, err);
}

int digest_step(struct store *store, const struct digest_config *config, int64_t now_us,
                int64_t *due, bool *made, struct err *err)
{
	struct making m = {.config = config, .now = now_us};
	struct db *db = store_read_begin(store);
	bool first;
	int rc = look(db, &m, &first, err);

	store_read_end(store, db);
	if (rc == 0 && first)
		rc = store_write(store, first_write, &m, err);
	else if (rc == 0 && m.instant)
		rc = store_write(store, digest_write, &m, err);
	*made = m.made;
	*due = nightly_next(&config->at, now_us);
	json_decref(m.rows);
	json_decref(m.digest);
	return rc;
}
