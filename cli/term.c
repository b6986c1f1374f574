#include "cli/term.h"

#include "common/xalloc.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct cell {
	char *text;
	enum term_style style;
	bool last; /* of its row */
};

struct term_table {
	struct cell *cells;
	size_t count;
};

static unsigned drawn; /* lines of the redraw block on screen */

bool term_is_tty(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

bool term_has_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return term_is_tty() && (!no || !*no);
}

unsigned term_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		return size.ws_col;
	return 100;
}

/* U+202A..202E and U+2066..2069 turn text around; U+0080..009F are control characters. */
static bool hostile_utf8(const unsigned char *p)
{
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
		return true;
	return p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
	                        (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

char *term_safe(char *text, bool lines)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if ((*p < ' ' && !(lines && (*p == '\n' || *p == '\t'))) || *p == 0x7f ||
		    hostile_utf8(p))
			*p = '?';
	return text;
}

void term_write(const char *data, size_t len)
{
	if (isatty(STDOUT_FILENO)) {
		char *copy = xstrndup(data, len);

		(void)fputs(term_safe(copy, true), stdout);
		free(copy);
	} else {
		(void)fwrite(data, 1, len, stdout);
	}
	(void)fflush(stdout);
}

void term_pause_ms(unsigned ms)
{
	(void)poll(NULL, 0, (int)ms);
}

struct term_table *term_table_new(void)
{
	return xcalloc(1, sizeof(struct term_table));
}

void term_cell(struct term_table *t, enum term_style style, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t->count % 64 == 0)
		t->cells = xrealloc(t->cells, (t->count + 64) * sizeof(*t->cells));
	t->cells[t->count++] =
		(struct cell){.text = term_safe(xstrdup(text), false), .style = style};
}

void term_row_end(struct term_table *t)
{
	if (t->count > 0)
		t->cells[t->count - 1].last = true;
}

/* Columns that a UTF-8 text takes: its code points. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static const char *style_code(enum term_style style)
{
	static const char *const codes[] = {"", "\033[32m", "\033[31m", "\033[2m", "\033[1m"};

	return term_has_colour() ? codes[style] : "";
}

void term_table_print(struct term_table *t, FILE *out)
{
	size_t widths[64] = {0};

	for (size_t i = 0, col = 0; i < t->count; i++) {
		if (col < 64 && width(t->cells[i].text) > widths[col])
			widths[col] = width(t->cells[i].text);
		col = t->cells[i].last ? 0 : col + 1;
	}
	for (size_t i = 0, col = 0; i < t->count; i++) {
		const struct cell *c = &t->cells[i];
		size_t pad = c->last || col >= 64 ? 0 : widths[col] - width(c->text) + 2;
		const char *code = style_code(c->style);

		if (out)
			(void)fprintf(out, "%s%s%s%*s", code, c->text, *code ? "\033[0m" : "",
			              (int)pad, "");
		col = c->last ? 0 : col + 1;
		if (out && c->last)
			(void)fputc('\n', out);
		free(c->text);
	}
	free(t->cells);
	free(t);
}

void term_redraw_begin(void)
{
	if (term_is_tty() && drawn > 0)
		(void)printf("\033[%uA\033[J", drawn);
	drawn = 0;
}

void term_redraw_line(const char *fmt, ...)
{
	char text[512];
	unsigned columns = term_columns();
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)term_safe(text, false);
	/* A line that wraps would break the count of lines to go up. */
	for (size_t i = 0, n = 0; text[i]; i++) {
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (n >= columns) {
			text[i] = '\0';
			break;
		}
	}
	(void)puts(text);
	drawn++;
}

void term_redraw_end(void)
{
	drawn = 0;
	(void)fflush(stdout);
}
