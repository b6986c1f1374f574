#include "server/daemon/series/mbox.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FROM_MIN 19 /* bytes of the shortest line that git takes */

static bool digit(const char *at)
{
	return isdigit((unsigned char)*at) != 0;
}

/* The rule is git's, builtin/mailsplit.c: what it does not split must not be split here, and the other way round. */
bool mbox_from_line(const char *line, size_t len)
{
	char year[8] = "";
	size_t colon = len, rest;

	if (len < FROM_MIN || memcmp(line, "From ", 5) != 0)
		return false;
	while (colon > 9 && line[colon - 1] != ':')
		colon--;
	if (colon <= 9 || colon + 3 > len)
		return false;
	colon--;
	if (!digit(line + colon - 4) || !digit(line + colon - 2) || !digit(line + colon - 1) ||
	    !digit(line + colon + 1) || !digit(line + colon + 2))
		return false;
	rest = len - colon - 3;
	memcpy(year, line + colon + 3, rest < sizeof(year) - 1 ? rest : sizeof(year) - 1);
	return strtol(year, NULL, 10) > 90;
}

static const char *line_end(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline : end;
}

static const char *line_next(const char *at, const char *end)
{
	const char *newline = line_end(at, end);

	return newline < end ? newline + 1 : end;
}

void mbox_begin(struct mbox *mbox, const char *text, size_t len)
{
	mbox->at = text;
	mbox->end = text + len;
	while (mbox->at < mbox->end && isspace((unsigned char)*mbox->at))
		mbox->at++;
}

/* lore.kernel.org quotes, and says so; git and b4 do not. */
static bool says_quoted(const char *line, const char *end)
{
	static const char word[] = "From mboxrd@";
	size_t len = sizeof(word) - 1;

	return (size_t)(end - line) > len && memcmp(line, word, len) == 0;
}

bool mbox_next(struct mbox *mbox, struct mbox_mail *mail)
{
	const char *end = mbox->end, *at = mbox->at;

	if (at >= end)
		return false;
	mail->quoted = says_quoted(at, end);
	if (mbox_from_line(at, (size_t)(line_end(at, end) - at)))
		at = line_next(at, end);
	mail->text = at;
	while (at < end && !mbox_from_line(at, (size_t)(line_end(at, end) - at)))
		at = line_next(at, end);
	mail->len = (size_t)(at - mail->text);
	mbox->at = at;
	return true;
}
