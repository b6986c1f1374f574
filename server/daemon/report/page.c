#include "server/daemon/report/page.h"

#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

void page_release(struct page *page)
{
	free(page->text);
	memset(page, 0, sizeof(*page));
}

/* ---- Harmless text ---- */

static uint32_t code_point(const unsigned char *p, size_t len)
{
	uint32_t code = len == 1 ? p[0] : p[0] & (0xffU >> (len + 1));

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (p[i] & 0x3f);
	return code;
}

/* Controls, and what is invisible or turns the direction of a line. */
static bool harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x300 && c < 0x370) ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xe000 && c <= 0xf8ff) ||
	       c >= 0xe0000;
}

char *page_clean(const char *text)
{
	size_t len = strlen(text), used = 0;
	char *out = xcalloc(len + 1, 1);

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(text + i, len - i);
		if (n == 0 || harmful(code_point((const unsigned char *)text + i, n))) {
			out[used++] = strchr("\t\n\r", text[i]) ? ' ' : '?';
			n = n ? n : 1;
			continue;
		}
		memcpy(out + used, text + i, n);
		used += n;
	}
	return out;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t columns_of(const char *text, size_t len)
{
	size_t columns = 0;

	for (size_t i = 0; i < len; i++)
		columns += !continues(text[i]);
	return columns;
}

/* How many bytes of text fit into columns. */
static size_t fitting(const char *text, size_t columns)
{
	size_t i = 0, n = 0;

	while (text[i]) {
		if (!continues(text[i]) && n++ == columns)
			break;
		i++;
	}
	return i;
}

/* ---- Lines ---- */

static void put(struct page *page, const char *text, size_t len)
{
	if (page->len + len + 1 > page->room) {
		page->room = (page->len + len + 1) * 2;
		page->text = xrealloc(page->text, page->room);
	}
	memcpy(page->text + page->len, text, len);
	page->len += len;
	page->text[page->len] = '\0';
}

/* One line of clean text. Spaces at its end are left out. */
static void put_line(struct page *page, size_t indent, const char *text, size_t len)
{
	static const char spaces[] = "                ";

	put(page, spaces, indent < sizeof(spaces) ? indent : sizeof(spaces) - 1);
	while (len > 0 && text[len - 1] == ' ')
		len--;
	put(page, text, len);
	while (page->len > 0 && page->text[page->len - 1] == ' ')
		page->len--;
	put(page, "\n", 1);
	page->lines++;
}

static void put_cut(struct page *page, size_t indent, const char *text)
{
	size_t room = PAGE_COLUMNS - indent, len = strlen(text);

	if (columns_of(text, len) > room) {
		SCOPED_STR cut = xasprintf("%.*s...", (int)fitting(text, room - 3), text);

		put_line(page, indent, cut, strlen(cut));
		return;
	}
	put_line(page, indent, text, len);
}

__attribute__((format(printf, 1, 0))) static char *clean_format(const char *fmt, va_list args)
{
	SCOPED_STR text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		abort();
	return page_clean(text);
}

void page_line(struct page *page, const char *fmt, ...)
{
	SCOPED_STR text = NULL;
	va_list args;

	va_start(args, fmt);
	text = clean_format(fmt, args);
	va_end(args);
	put_cut(page, 0, text);
}

/* Where to break text that has to go into columns: behind the last word that fits, or in the middle of a long one. */
static size_t break_at(const char *text, size_t columns)
{
	size_t fits = fitting(text, columns), at = fits;

	if (text[fits] == '\0')
		return fits;
	while (at > 0 && text[at] != ' ')
		at--;
	return at > 0 ? at : fits;
}

void page_wrap(struct page *page, size_t indent, size_t lines, const char *fmt, ...)
{
	SCOPED_STR text = NULL;
	const char *at;
	va_list args;

	va_start(args, fmt);
	text = clean_format(fmt, args);
	va_end(args);
	at = text;
	for (size_t line = 0; line < lines; line++) {
		size_t in = line == 0 ? 0 : indent;
		size_t len = break_at(at, PAGE_COLUMNS - in);

		if (line + 1 == lines) {
			put_cut(page, in, at);
			return;
		}
		put_line(page, in, at, len);
		at += len + strspn(at + len, " ");
		if (*at == '\0')
			return;
	}
}

void page_command(struct page *page, size_t indent, const char *fmt, ...)
{
	SCOPED_STR text = NULL;
	const char *at;
	va_list args;
	size_t in = indent;

	va_start(args, fmt);
	text = clean_format(fmt, args);
	va_end(args);
	for (at = text; columns_of(at, strlen(at)) > PAGE_COLUMNS - in; in = indent + 4) {
		size_t len = break_at(at, PAGE_COLUMNS - in - 2);
		SCOPED_STR part = xasprintf("%.*s \\", (int)len, at);

		put_line(page, in, part, strlen(part));
		at += len + strspn(at + len, " ");
	}
	put_line(page, in, at, strlen(at));
}

void page_signature(struct page *page, const char *text)
{
	put(page, "-- \n", 4);
	page->lines++;
	page_line(page, "%s", text);
}

void page_add(struct page *page, const struct page *other)
{
	if (other->len > 0)
		put(page, other->text, other->len);
	page->lines += other->lines;
}
