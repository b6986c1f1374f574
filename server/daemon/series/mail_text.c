#include "server/daemon/series/mail_text.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct line {
	const unsigned char *text;
	size_t len; /* without its newline */
};

/* The next line at *at. False at the end. */
static bool line_next(const unsigned char *bytes, size_t len, size_t *at, struct line *line)
{
	const unsigned char *newline;

	if (*at >= len)
		return false;
	line->text = bytes + *at;
	newline = memchr(line->text, '\n', len - *at);
	line->len = newline ? (size_t)(newline - line->text) : len - *at;
	*at += line->len + 1;
	return true;
}

/* Does each line end with a CR? The last one of a MIME part has no line end of its own. */
static bool all_cr(const struct mail_text *part)
{
	struct line line;
	bool any = false;

	for (size_t at = 0; line_next(part->bytes, part->len, &at, &line);) {
		bool whole = at <= part->len;

		if (whole && (line.len == 0 || line.text[line.len - 1] != '\r'))
			return false;
		any |= whole;
	}
	return any;
}

static void put(GByteArray *out, const struct line *line)
{
	(void)g_byte_array_append(out, line->text, (guint)line->len);
	(void)g_byte_array_append(out, (const guint8 *)"\n", 1);
}

/* As git mailinfo does it: a line that ends with a space goes on in the next. */
static void flowed(const struct line *in, bool delsp, GByteArray *out)
{
	struct line line = *in;

	if (line.len == 3 && memcmp(line.text, "-- ", 3) == 0) {
		put(out, &line);
		return;
	}
	if (line.len > 0 && line.text[0] == ' ') {
		line.text++;
		line.len--;
	}
	if (line.len > 0 && line.text[line.len - 1] == ' ')
		(void)g_byte_array_append(out, line.text, (guint)(line.len - delsp));
	else
		put(out, &line);
}

void mail_text_lines(const struct mail_text *part, GByteArray *out)
{
	bool cr = all_cr(part), flows = part->format && strcasecmp(part->format, "flowed") == 0;
	bool delsp = part->delsp && strcasecmp(part->delsp, "yes") == 0;
	struct line line;

	for (size_t at = 0; line_next(part->bytes, part->len, &at, &line);) {
		line.len -= cr && line.len > 0 && line.text[line.len - 1] == '\r';
		if (flows)
			flowed(&line, delsp, out);
		else
			put(out, &line);
	}
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		(void)g_byte_array_append(out, (const guint8 *)"\n", 1);
}

static bool is_quoted(const struct line *line)
{
	size_t quotes = 0;

	while (quotes < line->len && line->text[quotes] == '>')
		quotes++;
	return quotes > 0 && line->len - quotes >= 5 &&
	       memcmp(line->text + quotes, "From ", 5) == 0;
}

void mail_text_unquote(GByteArray *text)
{
	GByteArray *out = g_byte_array_sized_new(text->len + 1);
	struct line line;

	for (size_t at = 0; line_next(text->data, text->len, &at, &line);) {
		bool quoted = is_quoted(&line);

		line.text += quoted;
		line.len -= quoted;
		put(out, &line);
	}
	(void)g_byte_array_set_size(text, 0);
	if (out->len > 0)
		(void)g_byte_array_append(text, out->data, out->len);
	g_byte_array_unref(out);
}
