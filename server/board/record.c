#include "server/board/record.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/journal.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/board/caplog.h"

#include <stdarg.h>
#include <string.h>

#define JOURNAL_CAP  (256U << 20)
#define RUN_LOG_HEAD (4 << 20)
#define RUN_LOG_TAIL (1 << 20)

static int replay_line(struct record *r, const char *line, size_t len, struct err *err)
{
	SCOPED_JSON event = jx_parse(line, len, JOURNAL_LINE_MAX, err);

	if (!event)
		return -1;
	if (json_integer_value(json_object_get(event, "n")) != r->attempt.n + 1)
		return err_set(err, ERR_INVALID, "n is out of order");
	return attempt_apply(&r->attempt, event, err);
}

static int replay(struct record *r, const char *path, struct err *err)
{
	size_t len = 0, line = 1;
	SCOPED_STR text = fs_read_file(path, JOURNAL_CAP, &len, err);
	const char *at = text;

	if (!text)
		return -1;
	while (at < text + len) {
		const char *nl = memchr(at, '\n', (size_t)(text + len - at));

		if (!nl)
			break; /* torn: journal_open() cut it off before this */
		if (replay_line(r, at, (size_t)(nl - at), err) < 0)
			return err_context(err, "%s: line %zu", path, line);
		at = nl + 1;
		line++;
	}
	return 0;
}

static int open_all(struct record *r, struct err *err)
{
	SCOPED_STR request = xasprintf("%s/request.json", r->dir);
	SCOPED_STR journal = xasprintf("%s/journal.ndjson", r->dir);
	SCOPED_STR run_log = xasprintf("%s/run.log", r->dir);
	SCOPED_STR console_log = xasprintf("%s/console.log", r->dir);

	if (request_load(&r->request, request, err) < 0)
		return -1;
	attempt_init(&r->attempt, &r->request);
	r->journal = journal_open(journal, err);
	if (!r->journal || (journal_size(r->journal) > 0 && replay(r, journal, err) < 0))
		return -1;
	r->run_log = caplog_open(run_log, RUN_LOG_HEAD, RUN_LOG_TAIL, err);
	r->console_log = caplog_open(console_log, CONSOLE_HEAD, CONSOLE_TAIL, err);
	return r->run_log && r->console_log ? 0 : -1;
}

struct record *record_open(const char *dir, struct err *err)
{
	struct record *r = xcalloc(1, sizeof(*r));

	r->dir = xstrdup(dir);
	if (open_all(r, err) == 0)
		return r;
	record_close(r);
	return NULL;
}

void record_close(struct record *r)
{
	if (!r)
		return;
	caplog_close(r->run_log);
	caplog_close(r->console_log);
	journal_close(r->journal);
	attempt_release(&r->attempt);
	request_release(&r->request);
	free(r->dir);
	free(r);
}

int record_put(struct record *r, int64_t now, const char *name, json_t *fields, struct err *err)
{
	SCOPED_JSON event = json_pack("{s:I, s:I, s:s}", "n", (json_int_t)r->attempt.n + 1, "t",
	                              (json_int_t)now, "ev", name);
	SCOPED_JSON rest = fields;

	(void)json_object_update_missing(event, rest);
	if (attempt_check(&r->attempt, event, err) < 0)
		return -1;
	/* Written first: what is not in the journal did not happen. */
	if (journal_append(r->journal, event, err) < 0)
		return -1;
	return attempt_apply(&r->attempt, event, err);
}

int record_sync(struct record *r, struct err *err)
{
	return journal_sync(r->journal, err);
}

uint64_t record_size(const struct record *r)
{
	return journal_size(r->journal);
}

void record_say(struct record *r, int64_t now, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)caplog_line(r->run_log, now, text, strlen(text), NULL);
}

void record_output(struct record *r, int64_t now, const char *stream, const char *text)
{
	/* One event holds one or more lines of the test, with newlines between them. */
	for (const char *at = text, *end;; at = end + 1) {
		end = strchrnul(at, '\n');
		SCOPED_STR line = xasprintf("%s | %.*s", stream, (int)(end - at), at);

		(void)caplog_line(r->run_log, now, line, strlen(line), NULL);
		if (!*end)
			break;
	}
}
