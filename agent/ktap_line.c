#include "agent/ktap_line.h"

#include "common/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_LOOK 2048 /* bytes of a line that are looked at */

/* What a directive makes of "ok" and of "not ok". kselftest.h prints an expected failure as "ok # XFAIL". */
static const struct directive {
	const char *word;
	enum verdict on_ok, on_not_ok;
	bool expected; /* a failure is */
	const char *reason;
} directives[] = {
	{"SKIP", VERDICT_SKIP, VERDICT_SKIP, false, ""},
	{"TODO", VERDICT_PASS, VERDICT_FAIL, true, ""},
	{"XFAIL", VERDICT_FAIL, VERDICT_FAIL, true, ""},
	{"XPASS", VERDICT_PASS, VERDICT_PASS, false, ""},
	{"TIMEOUT", VERDICT_PASS, VERDICT_ERROR, false, "timeout"},
	{"ERROR", VERDICT_PASS, VERDICT_ERROR, false, "error"},
};

size_t ktap_cut(const char *text, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room > 0 && ((unsigned char)text[room] & 0xC0) == 0x80)
		room--;
	return room;
}

/* text of len bytes into out without blanks around it, controls as blanks. */
static void copy(char *out, size_t room, const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char)*text))
		text++, len--;
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	len = ktap_cut(text, len, room - 1);
	(void)memcpy(out, text, len);
	out[len] = '\0';
}

static bool begins(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

/* A time stamp of the kernel's log, and who said it: "<6>[   12.345678][ T12] ". Returns what is behind it. */
static const char *skip_stamp(const char *text)
{
	const char *p = text;

	size_t digits = *p == '<' ? strspn(p + 1, "0123456789") : 0;

	if (digits > 0 && p[1 + digits] == '>')
		p += digits + 2;
	if (*p != '[')
		return text;
	p += 1 + strspn(p + 1, " ");
	if (!isdigit((unsigned char)*p))
		return text;
	p += strspn(p, "0123456789");
	if (*p != '.')
		return text;
	p += 1 + strspn(p + 1, "0123456789");
	if (*p++ != ']')
		return text;
	if (*p == '[' && strchr(p, ']') && strcspn(p, "]") < 16)
		p = strchr(p, ']') + 1;
	return *p == ' ' ? p + 1 : p;
}

/* Behind indent and the "# " of kselftest's runner. */
static const char *skip_prefix(const char *text)
{
	for (;;) {
		text += strspn(text, " ");
		if (text[0] != '#' || text[1] != ' ')
			return text;
		text += 2;
	}
}

/* The directive at text ("SKIP why"), or NULL. *rest: what is behind its word. */
static const struct directive *directive_at(const char *text, const char **rest)
{
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
		size_t len = strlen(directives[i].word);

		if (strncasecmp(text, directives[i].word, len) != 0 ||
		    isalnum((unsigned char)text[len]))
			continue;
		*rest = text + len + strspn(text + len, " :");
		return &directives[i];
	}
	return NULL;
}

/* The '#' that ends a description: behind a blank, and before a blank or a directive. NULL when there is none. */
static const char *find_hash(const char *text)
{
	const char *rest;

	for (const char *p = strchr(text, '#'); p; p = strchr(p + 1, '#'))
		if ((p == text || p[-1] == ' ') &&
		    (p[1] == ' ' || p[1] == '\0' || directive_at(p + 1, &rest)))
			return p;
	return NULL;
}

/* "selftests: DIR: PROG" is called as `run_kselftest.sh -t` wants it: DIR:PROG. */
static void name_of(char *out, size_t room, const char *text, size_t len)
{
	char *colon;

	while (len > 0 && *text == ' ')
		text++, len--;
	if (len > 0 && *text == '-' && (len == 1 || text[1] == ' '))
		text++, len--;
	copy(out, room, text, len);
	if (!begins(out, "selftests: "))
		return;
	(void)memmove(out, out + 11, strlen(out + 11) + 1);
	colon = strstr(out, ": ");
	if (colon)
		(void)memmove(colon + 1, colon + 2, strlen(colon + 2) + 1);
}

/* The fixed word of a skip, when its text begins with one. */
static void skip_reason(struct ktap_result *r)
{
	char word[sizeof(r->reason)];
	size_t len = strcspn(r->text, " :,;");

	if (len >= sizeof(word))
		return;
	(void)snprintf(word, sizeof(word), "%.*s", (int)len, r->text);
	if (len > 0 && skip_reason_valid(word))
		(void)snprintf(r->reason, sizeof(r->reason), "%s", word);
}

static void read_directive(struct ktap_result *r, bool ok, const char *text)
{
	const char *rest = text + strspn(text, " ");
	const struct directive *d = directive_at(rest, &rest);

	r->verdict = ok ? VERDICT_PASS : VERDICT_FAIL;
	copy(r->text, sizeof(r->text), rest, strlen(rest));
	if (!d)
		return;
	r->verdict = ok ? d->on_ok : d->on_not_ok;
	r->expected = d->expected && r->verdict == VERDICT_FAIL;
	if (r->verdict == VERDICT_ERROR)
		(void)snprintf(r->reason, sizeof(r->reason), "%s", d->reason);
	if (r->verdict == VERDICT_SKIP)
		skip_reason(r);
}

static bool read_number(const char **text, int64_t *number)
{
	size_t digits = strspn(*text, "0123456789");

	if (digits == 0 || digits > 9)
		return false;
	*number = strtol(*text, NULL, 10);
	*text += digits;
	return true;
}

static bool read_result(const char *text, struct ktap_result *r)
{
	bool ok = begins(text, "ok ");
	const char *hash;

	if (!ok && !begins(text, "not ok "))
		return false;
	text += ok ? 3 : 7;
	if (!read_number(&text, &r->number) || (*text && *text != ' '))
		return false;
	hash = find_hash(text);
	name_of(r->name, sizeof(r->name), text, hash ? (size_t)(hash - text) : strlen(text));
	read_directive(r, ok, hash ? hash + 1 : "");
	/* kselftest.h says "ok 3 # SKIP name": what stands there is all the name there is. */
	if (!*r->name && *r->text) {
		(void)snprintf(r->name, sizeof(r->name), "%.*s",
		               (int)ktap_cut(r->text, strlen(r->text), sizeof(r->name) - 1),
		               r->text);
		r->text[0] = '\0';
	}
	return true;
}

static bool read_plan(const char *text, struct ktap_parsed *out)
{
	const char *hash;

	if (!begins(text, "1.."))
		return false;
	text += 3;
	if (!read_number(&text, &out->plan))
		return false;
	hash = find_hash(text);
	if (text[strspn(text, " ")] && hash != text + strspn(text, " "))
		return false;
	read_directive(&out->result, true, hash ? hash + 1 : "");
	return true;
}

static bool read_title(const char *text, struct ktap_parsed *out)
{
	static const char *const words[] = {"Subtest: ", "selftests: "};

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(words[i]);

		if (!begins(text, words[i]))
			continue;
		/* A KUnit title's own "# " is not indent; with kselftest's runner the "# " is all there is. */
		if (i == 0)
			out->column -= out->column < 2 ? out->column : 2;
		name_of(out->result.name, sizeof(out->result.name), i == 0 ? text + len : text,
		        strlen(i == 0 ? text + len : text));
		return *out->result.name != '\0';
	}
	return false;
}

static bool read_version(const char *text)
{
	int64_t version;

	if (!begins(text, "KTAP version ") && !begins(text, "TAP version "))
		return false;
	text = strstr(text, "version ") + 8;
	return read_number(&text, &version) && text[strspn(text, " ")] == '\0';
}

static enum ktap_kind kind_of(const char *text, bool hashed, struct ktap_parsed *out)
{
	if (read_version(text))
		return KTAP_VERSION;
	if (read_plan(text, out))
		return KTAP_PLAN;
	if (read_result(text, &out->result))
		return KTAP_RESULT;
	if (begins(text, "Bail out!")) {
		copy(out->text, sizeof(out->text), text + 9, strlen(text + 9));
		return KTAP_BAIL;
	}
	if (!hashed)
		return KTAP_OTHER;
	if (read_title(text, out))
		return KTAP_TITLE;
	if (begins(text, "Totals: "))
		return KTAP_OTHER;
	copy(out->text, sizeof(out->text), text, strlen(text));
	return KTAP_NOTE;
}

void ktap_parse(const char *line, size_t len, struct ktap_parsed *out)
{
	char clean[LINE_MAX_LOOK];
	const char *start, *text;
	size_t used;

	(void)memset(out, 0, sizeof(*out));
	(void)utf8_clean(line, len, clean, sizeof(clean), &used);
	for (char *p = clean; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			*p = ' ';
	start = skip_stamp(clean);
	text = skip_prefix(start);
	out->column = (size_t)(text - start);
	out->kind = kind_of(text, memchr(start, '#', (size_t)(text - start)) != NULL, out);
}
