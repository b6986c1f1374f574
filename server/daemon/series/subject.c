#include "server/daemon/series/subject.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define SLUG_MAX   40
#define NUMBER_MAX 6 /* digits */

/* A number at *at, of at most NUMBER_MAX digits: -1 when there is none. */
static int64_t number(const char **at, const char *end)
{
	int64_t value = 0;
	int digits = 0;

	while (*at < end && isdigit((unsigned char)**at)) {
		value = value * 10 + (*(*at)++ - '0');
		if (++digits > NUMBER_MAX)
			return -1;
	}
	return digits ? value : -1;
}

/* "v3" */
static bool version_word(const char *at, const char *end, int64_t *version)
{
	int64_t value;

	if (at >= end || (*at != 'v' && *at != 'V'))
		return false;
	at++;
	value = number(&at, end);
	if (value < 1 || at != end)
		return false;
	*version = value;
	return true;
}

/* "2/7" */
static bool part_word(const char *at, const char *end, struct subject *s)
{
	int64_t part = number(&at, end), total;

	if (part < 0 || at >= end || *at++ != '/')
		return false;
	total = number(&at, end);
	if (total < 1 || at != end || part > total)
		return false;
	s->part = part;
	s->total = total;
	return true;
}

static const struct {
	const char *word;
	size_t flag;
	bool patch;
} words[] = {
	{"PATCH", 0, true},
	{"RFC", offsetof(struct subject, rfc), true},
	{"RESEND", offsetof(struct subject, resend), false},
	{"REPOST", offsetof(struct subject, resend), false},
};

/* "PATCH", "RFC", and the same with a version stuck to it: "PATCHv2". */
static void flag_word(const char *at, const char *end, struct subject *s)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].word);

		if ((size_t)(end - at) < len || strncasecmp(at, words[i].word, len) != 0)
			continue;
		if (at + len < end && !version_word(at + len, end, &s->version))
			continue;
		s->patch |= words[i].patch;
		if (words[i].flag)
			*(bool *)((char *)s + words[i].flag) = true;
	}
}

static void bracket(const char *at, const char *end, struct subject *s)
{
	while (at < end) {
		const char *word = at;

		/* "RFC/PATCH" is two words, "2/7" is one. */
		while (at < end && *at != ' ' && *at != ',' &&
		       !(*at == '/' && at > word && !isdigit((unsigned char)at[-1])))
			at++;
		if (!part_word(word, at, s) && !version_word(word, at, &s->version))
			flag_word(word, at, s);
		at += at < end;
	}
}

/* Behind "Re:" and the like, which may be there more than once. */
static const char *reply_skip(const char *at, struct subject *s)
{
	static const char *const marks[] = {"re:", "fwd:", "fw:", "aw:"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]);) {
		size_t len = strlen(marks[i]);

		at += strspn(at, " ");
		if (strncasecmp(at, marks[i], len) != 0) {
			i++;
			continue;
		}
		s->reply = true;
		at += len;
		i = 0;
	}
	return at;
}

/* Words of text with one space between them. */
static char *line_of(const char *text)
{
	char *line = xstrdup(text), *to = line;

	for (const char *at = text; *at; at++) {
		bool space = (unsigned char)*at <= ' ' || *at == 0x7f;

		if (!space)
			*to++ = *at;
		else if (to > line && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > line && to[-1] == ' ')
		to--;
	*to = '\0';
	return line;
}

void subject_parse(const char *text, struct subject *s)
{
	SCOPED_STR line = line_of(text);
	const char *at;

	*s = (struct subject){0};
	at = reply_skip(line, s);
	while (*at == '[') {
		const char *end = strchr(at, ']');

		if (!end)
			break;
		bracket(at + 1, end, s);
		at = end + 1;
		at += strspn(at, " ");
	}
	s->title = xstrdup(at);
}

void subject_release(struct subject *s)
{
	free(s->title);
	*s = (struct subject){0};
}

char *subject_prefix(const struct subject *s)
{
	char version[32] = "", part[64] = "";

	if (s->version > 0)
		(void)snprintf(version, sizeof(version), " v%" PRId64, s->version);
	if (s->total > 0)
		(void)snprintf(part, sizeof(part), " %" PRId64 "/%" PRId64, s->part, s->total);
	return xasprintf("[PATCH%s%s%s]", s->rfc ? " RFC" : "", version, part);
}

char *subject_slug(const char *text)
{
	char slug[SLUG_MAX + 1];
	size_t len = 0;

	for (; *text && len < SLUG_MAX; text++) {
		if (isalnum((unsigned char)*text) && (unsigned char)*text < 0x80)
			slug[len++] = (char)tolower((unsigned char)*text);
		else if (len > 0 && slug[len - 1] != '-')
			slug[len++] = '-';
	}
	while (len > 0 && slug[len - 1] == '-')
		len--;
	slug[len] = '\0';
	return xstrdup(len ? slug : "series");
}
