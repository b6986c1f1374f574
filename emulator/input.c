#include "input.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)16 << 20)

struct entry {
	uint64_t start;
	struct input_point at;
	uint8_t byte;
};

struct input {
	char *path; /* owned */
	FILE *file; /* owned; to write; NULL: replays */
	uint64_t starts;
	struct entry *entries; /* owned; of a replay */
	size_t count, next;
};

struct input *input_record(const char *path, struct err *err)
{
	FILE *file = fopen(path, "we");
	struct input *input;

	if (!file) {
		(void)err_errno(err, ERR_IO, "%s", path);
		return NULL;
	}
	input = xcalloc(1, sizeof(*input));
	input->path = xstrdup(path);
	input->file = file;
	return input;
}

/* The next number of a line, with a blank or the line's end behind it. */
static bool next_number(const char **line, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(*line, &end, 10);
	if (errno || end == *line || (*end != ' ' && *end != '\0') || *value > max)
		return false;
	*line = end;
	return true;
}

static bool parse_line(const char *line, struct entry *entry)
{
	uint64_t byte = 0;
	bool good = next_number(&line, UINT64_MAX, &entry->start) &&
	            next_number(&line, UINT64_MAX, &entry->at.count) &&
	            next_number(&line, UINT64_MAX, &entry->at.slept_ns) &&
	            next_number(&line, UINT8_MAX, &byte) && *line == '\0';

	entry->byte = (uint8_t)byte;
	return good;
}

struct input *input_replay(const char *path, struct err *err)
{
	size_t len;
	SCOPED_STR text = fs_read_file(path, FILE_MAX, &len, err);
	struct input *input;
	size_t room = 1;
	char *line, *save;

	if (!text)
		return NULL;
	for (size_t n = 0; n < len; n++)
		room += text[n] == '\n';
	input = xcalloc(1, sizeof(*input));
	input->path = xstrdup(path);
	input->entries = xcalloc(room, sizeof(*input->entries));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!parse_line(line, &input->entries[input->count])) {
			(void)err_set(err, ERR_INVALID, "%s: line %zu is no recorded byte", path,
			              input->count + 1);
			(void)input_close(input, NULL);
			return NULL;
		}
		input->count++;
	}
	return input;
}

int input_close(struct input *input, struct err *err)
{
	int status = 0;

	if (!input)
		return 0;
	if (input->file && fclose(input->file) != 0)
		status = err_errno(err, ERR_IO, "%s", input->path);
	free(input->entries);
	free(input->path);
	free(input);
	return status;
}

bool input_replays(const struct input *input)
{
	return !input->file;
}

void input_start(struct input *input)
{
	input->starts++;
}

void input_note(struct input *input, struct input_point now, uint8_t byte)
{
	(void)fprintf(input->file, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %u\n", input->starts,
	              now.count, now.slept_ns, byte);
	(void)fflush(input->file);
}

bool input_next(struct input *input, struct input_point now, uint8_t *byte)
{
	const struct entry *entry = &input->entries[input->next];

	if (input->next == input->count || entry->start > input->starts ||
	    (entry->start == input->starts &&
	     (entry->at.count > now.count ||
	      (entry->at.count == now.count && entry->at.slept_ns > now.slept_ns))))
		return false;
	*byte = entry->byte;
	input->next++;
	return true;
}
