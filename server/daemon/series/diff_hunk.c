#include "server/daemon/series/diff_private.h"

#include "common/scoped.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define DIGITS_MAX 9

struct hunk {
	size_t line; /* number of its header */
	int64_t old_lines, new_lines;
	int64_t old_left, new_left;
	bool changes;
};

static bool number(const char **at, const char *end, int64_t *value)
{
	int digits = 0;

	*value = 0;
	while (*at < end && isdigit((unsigned char)**at) && digits <= DIGITS_MAX) {
		*value = *value * 10 + (*(*at)++ - '0');
		digits++;
	}
	return digits > 0 && digits <= DIGITS_MAX;
}

/* "12" or "12,3": how many lines. */
static bool range(const char **at, const char *end, int64_t *lines)
{
	int64_t first;

	*lines = 1;
	if (!number(at, end, &first))
		return false;
	if (*at >= end || **at != ',')
		return true;
	(*at)++;
	return number(at, end, lines);
}

static bool literal(const char **at, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool header_parse(const struct diff_line *line, struct hunk *h)
{
	const char *at = line->text, *end = line->text + line->len;

	return literal(&at, end, "@@ -") && range(&at, end, &h->old_lines) &&
	       literal(&at, end, " +") && range(&at, end, &h->new_lines) &&
	       literal(&at, end, " @@");
}

bool diff_is_hunk(const struct diff_line *line)
{
	struct hunk h;

	return header_parse(line, &h);
}

static bool body_line(struct diff_reader *r, struct hunk *h, const struct diff_line *line)
{
	/* Mailers cut the space of an empty line of context; git takes that. */
	int kind = line->len > 0 ? line->text[0] : ' ';

	if (kind == '\\' && diff_starts(line, "\\ ")) {
		diff_take(r, line);
		return true;
	}
	if (kind != ' ' && kind != '+' && kind != '-') {
		SCOPED_STR text = complain_text(line->text, line->len);

		complain_at(r->complain, r->line,
		            "'%s' is no line of a diff; the hunk at line %zu says -%" PRId64
		            " +%" PRId64 " lines, %" PRId64 " and %" PRId64 " of them are missing",
		            text, h->line, h->old_lines, h->new_lines, h->old_left, h->new_left);
		return false;
	}
	h->old_left -= kind != '+';
	h->new_left -= kind != '-';
	h->changes |= kind != ' ';
	if (h->old_left < 0 || h->new_left < 0) {
		complain_at(r->complain, r->line,
		            "the hunk at line %zu says -%" PRId64 " +%" PRId64
		            " lines, and has others",
		            h->line, h->old_lines, h->new_lines);
		return false;
	}
	diff_take(r, line);
	return true;
}

/* A line of a diff right behind a hunk that is full: git would not see it, a reader would. */
static bool surplus(const struct diff_line *line)
{
	static const char *const ends[] = {"-- ", "--", "---"};

	if (line->len == 0 || !strchr(" +-", line->text[0]) || diff_starts(line, "--- "))
		return false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (line->len == strlen(ends[i]) && memcmp(line->text, ends[i], line->len) == 0)
			return false;
	return true;
}

static bool hunk_end(struct diff_reader *r, const struct hunk *h)
{
	struct diff_line line;

	while (diff_peek(r, 0, &line) && diff_starts(&line, "\\ "))
		diff_take(r, &line);
	if (!h->changes) {
		complain_at(r->complain, h->line, "a hunk that changes nothing");
		return false;
	}
	if (diff_peek(r, 0, &line) && surplus(&line)) {
		complain_at(r->complain, r->line,
		            "the hunk at line %zu has more lines than the -%" PRId64 " +%" PRId64
		            " it says",
		            h->line, h->old_lines, h->new_lines);
		return false;
	}
	return true;
}

bool diff_hunk(struct diff_reader *r)
{
	struct hunk h = {.line = r->line};
	struct diff_line line;

	if (!diff_peek(r, 0, &line) || !header_parse(&line, &h))
		return false;
	h.old_left = h.old_lines;
	h.new_left = h.new_lines;
	diff_take(r, &line);
	while (h.old_left > 0 || h.new_left > 0) {
		if (!diff_peek(r, 0, &line)) {
			complain_at(r->complain, h.line,
			            "the hunk says -%" PRId64 " +%" PRId64
			            " lines; the mail ends %" PRId64 " and %" PRId64 " before that",
			            h.old_lines, h.new_lines, h.old_left, h.new_left);
			return false;
		}
		if (!body_line(r, &h, &line))
			return false;
	}
	return hunk_end(r, &h);
}
