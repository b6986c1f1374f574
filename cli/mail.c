#include "cli/mail.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct text {
	const char *at;
	size_t len;
};

/* Cut the next line off, without its end. False at the end. */
static bool next_line(struct text *rest, struct text *line)
{
	const char *nl = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
	size_t len = nl ? (size_t)(nl - rest->at) : rest->len;

	if (rest->len == 0)
		return false;
	*line = (struct text){rest->at, len > 0 && rest->at[len - 1] == '\r' ? len - 1 : len};
	rest->at += nl ? len + 1 : len;
	rest->len -= nl ? len + 1 : len;
	return true;
}

static bool begins(const struct text *line, const char *word)
{
	return line->len >= strlen(word) && strncasecmp(line->at, word, strlen(word)) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The first word of text without <>, as an id: visible ASCII. The first one counts. */
static void take_id(char out[MAIL_ID_MAX], const char *text, size_t len)
{
	size_t n = 0;

	while (len > 0 && (is_blank(*text) || *text == '<'))
		text++, len--;
	while (n < len && text[n] > ' ' && text[n] < 0x7F && text[n] != '>')
		n++;
	if (*out || n == 0 || n >= MAIL_ID_MAX)
		return;
	(void)memcpy(out, text, n);
	out[n] = '\0';
}

/* The value of a field, whose name and ':' are before it: a folded one is on the next line. */
static void take_field(char out[MAIL_ID_MAX], const struct text *line, size_t name,
                       const struct text *rest)
{
	struct text value = {line->at + name, line->len - name}, more = *rest, next;

	while (value.len > 0 && is_blank(*value.at))
		value.at++, value.len--;
	if (value.len == 0 && next_line(&more, &next) && next.len > 0 && is_blank(*next.at))
		value = next;
	take_id(out, value.at, value.len);
}

void mail_ids_read(const char *text, size_t len, struct mail_ids *ids)
{
	struct text rest = {text, len}, line;
	bool body = false;

	*ids = (struct mail_ids){0};
	while (next_line(&rest, &line)) {
		if (!body && line.len == 0)
			body = true;
		else if (!body && begins(&line, "Message-ID:"))
			take_field(ids->message_id, &line, 11, &rest);
		else if (!body && begins(&line, "X-Change-ID:"))
			take_field(ids->change_id, &line, 12, &rest);
		else if (body && begins(&line, "change-id: "))
			take_id(ids->change_id, line.at + 11, line.len - 11);
	}
}
