#include "server/daemon/http/excerpt.h"

#include "common/fsio.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define AFTER_US INT64_C(300000) /* a kernel's complaint is told when its log went quiet */
#define LOG_MAX  ((size_t)16 * 1024 * 1024)
#define STAMP    27 /* bytes of "2026-11-22T14:32:00.123456Z" */

/* Times of one form and length are in the order of their texts. */
static bool has_stamp(const char *line, const char *end)
{
	return end - line >= STAMP && line[4] == '-' && line[10] == 'T' && line[STAMP - 1] == 'Z';
}

/* The cut must not leave half of a UTF-8 sequence. */
static size_t align_back(const char *text, size_t at)
{
	while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
		at--;
	return at;
}

static char *shorten(const char *text, size_t len)
{
	size_t head = align_back(text, EXCERPT_MAX / 2);
	size_t tail = align_back(text, len - EXCERPT_MAX / 2);

	return xasprintf("%.*s\n[%zu bytes left out]\n%s", (int)head, text, tail - head,
	                 text + tail);
}

char *log_excerpt(const char *log, int64_t from_us, int64_t to_us)
{
	char from[32], to[32], *text, *shorter;
	bool inside = false;
	size_t len = 0;

	time_format(from_us, from);
	time_format(to_us + AFTER_US, to);
	text = xcalloc(strlen(log) + 2, 1);
	for (const char *line = log, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		end += *end == '\n';
		if (has_stamp(line, end))
			inside = strncmp(line, from, STAMP) >= 0 && strncmp(line, to, STAMP) <= 0;
		if (!inside)
			continue;
		(void)memcpy(text + len, line, (size_t)(end - line));
		len += (size_t)(end - line);
	}
	if (len <= EXCERPT_MAX)
		return text;
	shorter = shorten(text, len);
	free(text);
	return shorter;
}

char *log_excerpt_read(const char *state_dir, int64_t run, int64_t attempt, int64_t from_us,
                       int64_t to_us)
{
	SCOPED_STR path =
		xasprintf("%s/runs/%" PRId64 "/%" PRId64 "/run.log", state_dir, run, attempt);
	size_t len = 0;
	SCOPED_STR log = fs_read_file(path, LOG_MAX, &len, NULL);

	return log ? log_excerpt(log, from_us, to_us) : xstrdup("");
}
