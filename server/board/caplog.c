#include "server/board/caplog.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/utf8.h"
#include "common/xalloc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_CAP 16384
#define MARK     "-- cohort: dropped here: "

struct caplog {
	int fd; /* owned */
	char *path;
	size_t head, tail;
	uint64_t size, head_end; /* head_end: where the mark stands; 0: none yet */
	uint64_t dropped;
};

/* Find the mark of an earlier process. */
static void find_mark(struct caplog *log)
{
	SCOPED_STR text = xcalloc(1, log->head + sizeof(MARK) + 32);
	ssize_t n = pread(log->fd, text, log->head + sizeof(MARK) + 31, 0);
	char *mark = n > 0 ? memmem(text, (size_t)n, "\n" MARK, strlen("\n" MARK)) : NULL;

	if (!mark)
		return;
	log->head_end = (uint64_t)(mark + 1 - text);
	log->dropped = strtoull(mark + strlen("\n" MARK), NULL, 10);
}

struct caplog *caplog_open(const char *path, size_t head, size_t tail, struct err *err)
{
	SCOPED_FD fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	struct stat st;
	struct caplog *log;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_errno(err, ERR_IO, "log %s", path);
		return NULL;
	}
	log = xcalloc(1, sizeof(*log));
	log->path = xstrdup(path);
	log->head = head;
	log->tail = tail;
	log->size = (uint64_t)st.st_size;
	log->fd = take_fd(&fd);
	if (log->size > head)
		find_mark(log);
	return log;
}

/* The last end of a line within the first len bytes of text, or 0. */
static size_t line_end(const char *text, size_t len)
{
	const char *nl = len > 0 ? memrchr(text, '\n', len) : NULL;

	return nl ? (size_t)(nl + 1 - text) : 0;
}

/* Make a new file of the head, the mark and the tail, and put it in the place of the old one: whoever reads has the
 * one or the other. */
static int squeeze(struct caplog *log, struct err *err)
{
	SCOPED_STR head = xcalloc(1, log->head + 1);
	SCOPED_STR tail = xcalloc(1, log->tail + 1);
	SCOPED_STR temp = xasprintf("%s.tmp", log->path);
	SCOPED_FD fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
	ssize_t h = pread(log->fd, head, log->head, 0);
	ssize_t t = pread(log->fd, tail, log->tail, (off_t)(log->size - log->tail));
	char mark[sizeof(MARK) + 64];
	const char *first;
	size_t keep;
	int len;

	if (fd < 0 || h < 0 || t < 0)
		return err_errno(err, ERR_IO, "log %s", log->path);
	if (log->head_end == 0)
		log->head_end = line_end(head, (size_t)h);
	else /* the old mark goes; what it counted stays counted */
		log->dropped -= strlen(MARK "00000000000000000000 bytes --\n");
	first = memchr(tail, '\n', (size_t)t);
	first = first ? first + 1 : tail;
	keep = (size_t)(tail + t - first);
	log->dropped += log->size - log->head_end - keep;
	len = snprintf(mark, sizeof(mark), MARK "%020" PRIu64 " bytes --\n", log->dropped);
	if (fs_write_all(fd, head, (size_t)log->head_end, err) < 0 ||
	    fs_write_all(fd, mark, (size_t)len, err) < 0 || fs_write_all(fd, first, keep, err) < 0)
		return err_context(err, "log %s", temp);
	if (rename(temp, log->path) < 0)
		return err_errno(err, ERR_IO, "log %s", log->path);
	(void)close(log->fd);
	log->fd = take_fd(&fd);
	log->size = log->head_end + (uint64_t)len + keep;
	return 0;
}

/* Everything that is no printable text becomes a question mark: this is read on terminals, too. */
static void defuse(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			text[i] = '?';
}

int caplog_line(struct caplog *log, int64_t wall_us, const char *text, size_t len, struct err *err)
{
	char line[40 + LINE_CAP + 2];
	size_t used = 0, made, at;

	time_format(wall_us, line);
	at = strlen(line);
	line[at++] = ' ';
	if (len > 0 && text[len - 1] == '\r')
		len--;
	made = utf8_clean(text, len, line + at, LINE_CAP, &used);
	defuse(line + at, made);
	at += made;
	line[at++] = '\n';
	if (fs_write_all(log->fd, line, at, err) < 0)
		return err_context(err, "log %s", log->path);
	log->size += at;
	return log->size > log->head + 2 * log->tail ? squeeze(log, err) : 0;
}

uint64_t caplog_dropped(const struct caplog *log)
{
	return log->dropped;
}

void caplog_close(struct caplog *log)
{
	if (!log)
		return;
	(void)close(log->fd);
	free(log->path);
	free(log);
}
