#include "server/board/once.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

int once_prepare(struct once *o, const char *request, const char *state, struct err *err)
{
	size_t len = 0, there_len = 0;
	SCOPED_STR text = fs_read_file(request, REQUEST_CAP, &len, err);
	SCOPED_STR path = NULL;
	SCOPED_STR there = NULL;
	struct err missing;
	struct request r;

	if (!text || request_load(&r, request, err) < 0)
		return -1;
	o->run = r.run;
	o->attempt = r.attempt;
	o->fence = r.fence;
	request_release(&r);
	o->dir = xasprintf("%s/runs/%" PRId64 "/%" PRId64, state, o->run, o->attempt);
	path = xasprintf("%s/request.json", o->dir);
	if (fs_mkdirs(o->dir, err) < 0)
		return -1;
	there = fs_read_file(path, REQUEST_CAP, &there_len, &missing);
	if (there && (there_len != len || memcmp(there, text, len) != 0))
		return err_set(err, ERR_CONFLICT, "%s is there for another request", o->dir);
	return there ? 0 : fs_replace_file(path, text, len, 0640, err);
}

void once_release(struct once *o)
{
	free(o->dir);
}

static void once_journal(void *arg, const struct record *record)
{
	struct once *o = arg;
	SCOPED_STR path = xasprintf("%s/journal.ndjson", o->dir);
	SCOPED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	char data[16384];
	ssize_t n;

	while (fd >= 0 && (n = pread(fd, data, sizeof(data), (off_t)o->printed)) > 0) {
		(void)fs_write_all(STDOUT_FILENO, data, (size_t)n, NULL);
		o->printed += (uint64_t)n;
	}
	if (!record->attempt.ended)
		return;
	o->good = record->attempt.ended_well;
	drive_quit(o->drive);
}

static void once_state(void *arg, const char *state, const char *detail, json_t *facts)
{
	(void)arg;
	(void)state;
	(void)detail;
	(void)facts;
}

const struct drive_hints once_hints = {.state = once_state, .journal = once_journal};
