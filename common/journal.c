#include "common/journal.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct journal {
	int fd; /* owned */
	uint64_t size;
	size_t room; /* of line */
	char *line;  /* owned: the line that is being made */
};

/* Where the last whole line ends: read backwards until a newline. */
static int64_t whole_end(int fd, int64_t size)
{
	char block[4096];

	while (size > 0) {
		size_t want = size < (int64_t)sizeof(block) ? (size_t)size : sizeof(block);
		ssize_t n = pread(fd, block, want, (off_t)(size - (int64_t)want));

		if (n != (ssize_t)want)
			return -1;
		for (size_t i = want; i > 0; i--)
			if (block[i - 1] == '\n')
				return size - (int64_t)want + (int64_t)i;
		size -= (int64_t)want;
	}
	return 0;
}

struct journal *journal_open(const char *path, struct err *err)
{
	SCOPED_FD fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	struct stat st;
	struct journal *j;
	int64_t end;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_errno(err, ERR_IO, "journal %s", path);
		return NULL;
	}
	end = whole_end(fd, st.st_size);
	if (end < 0 || (end != st.st_size && ftruncate(fd, (off_t)end) < 0)) {
		(void)err_errno(err, ERR_IO, "journal %s", path);
		return NULL;
	}
	j = xcalloc(1, sizeof(*j));
	j->size = (uint64_t)end;
	j->fd = take_fd(&fd);
	return j;
}

static void journal_room(struct journal *j, size_t room)
{
	if (room > j->room)
		j->line = xrealloc(j->line, j->room = room < 1024 ? 1024 : room * 2);
}

/* Write the len bytes in j->line; half a line is taken back. */
static int journal_put(struct journal *j, size_t len, struct err *err)
{
	int saved;

	if (len > JOURNAL_LINE_MAX)
		return err_set(err, ERR_TOOBIG,
		               "journal: a line of %zu bytes: at most %d are allowed", len,
		               JOURNAL_LINE_MAX);
	if (fs_write_all(j->fd, j->line, len, err) < 0) {
		saved = errno;
		(void)!ftruncate(j->fd, (off_t)j->size);
		errno = saved;
		return err_context(err, "journal");
	}
	j->size += len;
	return 0;
}

int journal_append(struct journal *j, const json_t *event, struct err *err)
{
	size_t len = json_dumpb(event, j->line, j->room, JSON_COMPACT);

	if (len + 1 > j->room) {
		journal_room(j, len + 1);
		len = json_dumpb(event, j->line, j->room, JSON_COMPACT);
	}
	if (len == 0)
		return err_set(err, ERR_INVALID, "journal: an event that is no JSON");
	j->line[len] = '\n';
	return journal_put(j, len + 1, err);
}

int journal_append_text(struct journal *j, const char *text, size_t len, struct err *err)
{
	journal_room(j, len + 1);
	(void)memcpy(j->line, text, len);
	j->line[len] = '\n';
	return journal_put(j, len + 1, err);
}

int journal_sync(struct journal *j, struct err *err)
{
	if (fdatasync(j->fd) < 0)
		return err_errno(err, ERR_IO, "journal");
	return 0;
}

uint64_t journal_size(const struct journal *j)
{
	return j->size;
}

int journal_fd(const struct journal *j)
{
	return j->fd;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	(void)close(j->fd);
	free(j->line);
	free(j);
}
