#include "server/daemon/series/body.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/series/mail.h"
#include "server/daemon/series/mbox.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define CHANGE_ID_MAX 128

struct line {
	const char *text;
	size_t len; /* without its newline */
	size_t number;
};

/* Go to the next line: line->number is 0 before the first. False at the end. */
static bool line_next(const struct mail *mail, size_t *at, struct line *line)
{
	const char *newline;

	if (*at >= mail->len)
		return false;
	line->text = mail->text + *at;
	newline = memchr(line->text, '\n', mail->len - *at);
	line->len = newline ? (size_t)(newline - line->text) : mail->len - *at;
	line->number++;
	*at += line->len + 1;
	return true;
}

static bool starts(const char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && memcmp(line, word, n) == 0;
}

static bool blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isspace((unsigned char)line[i]))
			return false;
	return true;
}

/* patchbreak() of git's mailinfo.c, and what mailsplit would take for a new mail. */
bool body_ends_message(const char *line, size_t len)
{
	if (starts(line, len, "diff -") || starts(line, len, "Index: ") ||
	    mbox_from_line(line, len))
		return true;
	if (!starts(line, len, "---"))
		return false;
	if (len > 4 && line[3] == ' ' && !isspace((unsigned char)line[4]))
		return true;
	return blank(line + 3, len - 3);
}

/* ---- Headers at the top of the text ---- */

static const struct {
	const char *word;
	size_t offset;
} inbody[] = {
	{"From:", offsetof(struct body, from)},
	{"Subject:", offsetof(struct body, subject)},
	{"Date:", offsetof(struct body, date)},
};

#define INBODY (sizeof(inbody) / sizeof(inbody[0]))

/* The row of the header that the line is, or -1. */
static int inbody_row(const char *line, size_t len)
{
	for (size_t i = 0; i < INBODY; i++) {
		size_t n = strlen(inbody[i].word);

		if (len > n && strncasecmp(line, inbody[i].word, n) == 0 &&
		    isspace((unsigned char)line[n]))
			return (int)i;
	}
	return -1;
}

bool body_is_header(const char *line, size_t len)
{
	return inbody_row(line, len) >= 0 || starts(line, len, ">From") ||
	       starts(line, len, "[PATCH");
}

static char **member(struct body *body, size_t row)
{
	return (char **)(void *)((char *)body + inbody[row].offset);
}

/* Append the text of a line to a header's value. */
static void value_add(char **value, const char *text, size_t len)
{
	SCOPED_STR old = *value;

	*value = xasprintf("%s%s%.*s", old ? old : "", old ? " " : "",
	                   (int)(len < 4096 ? len : 4096), text);
}

static void values_decode(struct body *body, const char *charset)
{
	for (size_t i = 0; i < INBODY; i++) {
		char **value = member(body, i);
		SCOPED_STR utf8 = *value ? mail_utf8(*value, strlen(*value), charset) : NULL;

		free(*value);
		/* mail_address() decodes a name itself: it has to see the marks around it. */
		if (utf8 && i == 0)
			*value = take_str(&utf8);
		else
			*value = utf8 ? mail_decode(utf8) : NULL;
	}
}

/* Read them. Leaves *at and *line at the first line that is none; false at the end of the text. */
static bool headers_read(const struct mail *mail, size_t *at, struct line *line, struct body *body)
{
	char **last = NULL;
	bool any = false, more;

	while ((more = line_next(mail, at, line))) {
		int row = inbody_row(line->text, line->len);
		size_t word = row >= 0 ? strlen(inbody[row].word) : 0;

		if (blank(line->text, line->len)) {
			/* Empty lines in front count for nothing, one behind headers ends them. */
			if (any)
				break;
			continue;
		}
		if (any && (*line->text == ' ' || *line->text == '\t')) {
			value_add(last, line->text, line->len);
			continue;
		}
		if (row < 0 || *member(body, (size_t)row))
			break;
		last = member(body, (size_t)row);
		value_add(last, line->text + word, line->len - word);
		any = true;
	}
	values_decode(body, mail->charset);
	return more;
}

/* ---- Message and tags ---- */

/* Lines that only the decoding of a charset made to mean something to git must not do so. */
static void message_put(struct body *body, const char *text)
{
	size_t room = strlen(text) * 2 + 2, have = 0;
	SCOPED_STR out = xcalloc(room, 1);

	for (const char *at = text; *at;) {
		size_t len = strcspn(at, "\n");

		if (have == 0 && blank(at, len)) {
			at += len + (at[len] == '\n');
			continue;
		}
		if (body_ends_message(at, len))
			out[have++] = ' ';
		memcpy(out + have, at, len);
		have += len;
		out[have++] = '\n';
		at += len + (at[len] == '\n');
	}
	while (have > 0 && isspace((unsigned char)out[have - 1]))
		have--;
	out[have] = '\0';
	body->message = take_str(&out);
}

/* "base-commit: " and "change-id: " stand in the message, behind it, or behind the diff. */
static void tag_read(const struct line *line, struct body *body)
{
	const char *at = line->text, *end = line->text + line->len;
	size_t len;

	if (starts(at, line->len, "base-commit: ")) {
		at += strlen("base-commit: ");
		for (len = 0; at + len < end && isxdigit((unsigned char)at[len]); len++)
			;
		if ((len == 40 || len == 64) && blank(at + len, (size_t)(end - at) - len)) {
			memcpy(body->base_commit, at, len);
			body->base_commit[len] = '\0';
		}
	} else if (starts(at, line->len, "change-id: ") && !body->change_id) {
		at += strlen("change-id: ");
		for (len = 0; at + len < end && at[len] > ' ' && at[len] < 0x7f; len++)
			;
		if (len > 0 && len <= CHANGE_ID_MAX && blank(at + len, (size_t)(end - at) - len))
			body->change_id = xstrndup(at, len);
	}
}

void body_read(const struct mail *mail, struct body *body)
{
	struct line line = {0};
	size_t at = 0, from;
	SCOPED_STR utf8 = NULL;
	bool more;

	*body = (struct body){0};
	more = headers_read(mail, &at, &line, body);
	from = more ? (size_t)(line.text - mail->text) : mail->len;
	body->rest = mail->text + mail->len;
	for (; more; more = line_next(mail, &at, &line)) {
		if (!body->rest_len && body_ends_message(line.text, line.len)) {
			body->rest = line.text;
			body->rest_len = mail->len - (size_t)(line.text - mail->text);
			body->rest_line = line.number;
		}
		tag_read(&line, body);
	}
	utf8 = mail_utf8(mail->text + from, (size_t)(body->rest - mail->text) - from,
	                 mail->charset);
	message_put(body, utf8);
}

void body_release(struct body *body)
{
	free(body->from);
	free(body->subject);
	free(body->date);
	free(body->message);
	free(body->change_id);
	*body = (struct body){0};
}
