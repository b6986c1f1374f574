#include "server/daemon/farm/follow.h"

#include "common/journal.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/farm/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int finished_note(void *arg, int64_t test_id)
{
	struct follow *f = arg;
	size_t place;

	if (entry_test(f->ref.plan, test_id, &place))
		f->finished[place] = true;
	return 0;
}

/* The number of the last line in the store: the journal is the only place that knows it. */
static int lines_count(struct follow *f)
{
	SCOPED_MEM mem = f->ref.offset > 0 ? xcalloc(1, FOLLOW_ROUND) : NULL;
	char *buf = mem;
	int64_t at = 0;

	while (at < f->ref.offset) {
		int64_t left = f->ref.offset - at;
		ssize_t n =
			pread(f->fd, buf, left < FOLLOW_ROUND ? (size_t)left : FOLLOW_ROUND, at);

		if (n <= 0)
			return err_set(&f->broken, ERR_PROTOCOL,
			               "%s is shorter than what was read of it: %" PRId64
			               " of %" PRId64 " bytes",
			               f->path, at, f->ref.offset);
		for (ssize_t i = 0; i < n; i++)
			f->n += buf[i] == '\n';
		at += n;
	}
	return 0;
}

/* Open the journal when it is there. False when it is not. */
static bool journal_there(struct follow *f)
{
	if (f->fd < 0)
		f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 && errno != ENOENT)
		(void)err_errno(&f->broken, ERR_IO, "%s", f->path);
	return f->fd >= 0;
}

int follow_open(struct follow *f, struct attempt_ref *ref, const char *dir, struct db *db,
                struct err *err)
{
	*f = (struct follow){.ref = *ref, .fd = -1, .path = xasprintf("%s/journal.ndjson", dir)};
	*ref = (struct attempt_ref){0};
	f->tests = json_array_size(json_object_get(f->ref.plan, "tests"));
	f->finished = xcalloc(f->tests, sizeof(*f->finished));
	if (f->ref.offset == 0)
		return 0;
	if (journal_there(f))
		(void)lines_count(f);
	else if (f->broken.kind == ERR_NONE)
		(void)err_set(&f->broken, ERR_PROTOCOL, "%s is gone", f->path);
	if (store_attempt_finished(db, &f->ref, finished_note, f, err) < 0)
		return -1;
	return store_attempt_evidence_count(db, &f->ref, &f->evidence, err);
}

void follow_release(struct follow *f)
{
	follow_discard(f);
	if (f->fd >= 0)
		(void)close(f->fd);
	attempt_ref_release(&f->ref);
	free(f->entries);
	free(f->finished);
	free(f->path);
	*f = (struct follow){.fd = -1};
}

static void entries_drop(struct follow *f)
{
	for (size_t i = 0; i < f->count; i++)
		json_decref(f->entries[i].event);
	f->count = 0;
	f->more = f->ended = false;
}

void follow_commit(struct follow *f)
{
	if (f->count == 0)
		return;
	f->ref.offset = f->next_offset;
	f->n = f->next_n;
	entries_drop(f);
}

void follow_discard(struct follow *f)
{
	/* A bad line behind good ones comes again with them. */
	if (f->count > 0)
		f->broken.kind = ERR_NONE;
	for (size_t i = 0; i < f->count; i++) {
		size_t place;

		if (f->entries[i].kind == ENTRY_FINISHED &&
		    entry_test(f->ref.plan, entry_id(f->entries[i].event), &place))
			f->finished[place] = false;
	}
	entries_drop(f);
}

static int line_take(struct follow *f, const char *line, size_t len)
{
	struct entry e = {.event = jx_parse(line, len, JOURNAL_LINE_MAX, &f->broken)};

	if (!e.event || entry_check(f, &e, f->next_n + 1) < 0) {
		json_decref(e.event);
		return err_context(&f->broken, "journal line %" PRId64, f->next_n + 1);
	}
	f->next_n++;
	if (f->count == f->room) {
		f->room = f->room ? f->room * 2 : 16;
		f->entries = xrealloc(f->entries, f->room * sizeof(*f->entries));
	}
	f->entries[f->count++] = e;
	f->ended = e.kind == ENTRY_ENDED;
	return 0;
}

bool follow_read(struct follow *f, char *buf)
{
	const char *at = buf, *nl;
	ssize_t n;

	if (f->count > 0 || f->broken.kind != ERR_NONE || !journal_there(f))
		return f->count > 0;
	n = pread(f->fd, buf, FOLLOW_ROUND, f->ref.offset);
	if (n < 0) {
		(void)err_errno(&f->broken, ERR_IO, "%s", f->path);
		return false;
	}
	f->next_offset = f->ref.offset;
	f->next_n = f->n;
	while (!f->ended && (nl = memchr(at, '\n', (size_t)(buf + n - at)))) {
		if (line_take(f, at, (size_t)(nl - at)) < 0)
			break; /* what was good before it still counts */
		f->next_offset += nl + 1 - at;
		at = nl + 1;
	}
	if (buf + n - at >= JOURNAL_LINE_MAX && at == buf && f->broken.kind == ERR_NONE)
		(void)err_set(&f->broken, ERR_TOOBIG,
		              "journal line %" PRId64 ": more than %d bytes", f->n + 1,
		              JOURNAL_LINE_MAX);
	f->more = n == FOLLOW_ROUND && !f->ended && f->broken.kind == ERR_NONE;
	return f->count > 0;
}
