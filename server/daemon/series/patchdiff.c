#include "server/daemon/series/patchdiff.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/series/linediff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CONTEXT 3

/* One side with its patches as lines, and who is whose. */
struct side {
	const struct patchdiff_side *in;
	struct linediff_text *texts; /* owned */
	size_t *other;               /* owned: 1 + index of the patch on the other side; 0: none */
};

/* ---- Patches as lines ---- */

static bool starts(const char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && memcmp(line, word, n) == 0;
}

/* What changes with each rebase, and says nothing, goes: blob names, and where hunks are. */
static void line_add(struct linediff_text *text, const char *line, size_t len)
{
	const char *end;

	if (starts(line, len, "index "))
		return;
	if (starts(line, len, "@@ -") && (end = memmem(line + 3, len - 3, " @@", 3))) {
		len -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	linediff_add(text, line, len);
}

static void patch_lines(const struct patchdiff_patch *patch, struct linediff_text *text)
{
	const char *end = patch->text + patch->len;
	const char *at = memmem(patch->text, patch->len, "\n\n", 2);

	for (at = at ? at + 2 : patch->text; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline ? newline : end) - at);

		line_add(text, at, len);
		at += len + 1;
	}
}

static void side_open(struct side *s, const struct patchdiff_side *in)
{
	s->in = in;
	s->texts = xcalloc(in->count + 1, sizeof(*s->texts));
	s->other = xcalloc(in->count + 1, sizeof(*s->other));
	for (size_t i = 0; i < in->count; i++)
		patch_lines(&in->patches[i], &s->texts[i]);
}

static void side_close(struct side *s)
{
	for (size_t i = 0; i < s->in->count; i++)
		linediff_release(&s->texts[i]);
	free(s->texts);
	free(s->other);
}

/* ---- Who is whose ---- */

static void pair(struct side *a, size_t i, struct side *b, size_t j)
{
	a->other[i] = j + 1;
	b->other[j] = i + 1;
}

static void pair_by_subject(struct side *a, struct side *b)
{
	for (size_t i = 0; i < a->in->count; i++)
		for (size_t j = 0; j < b->in->count && !a->other[i]; j++)
			if (!b->other[j] &&
			    strcmp(a->in->patches[i].subject, b->in->patches[j].subject) == 0)
				pair(a, i, b, j);
}

static int by_hash(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t *hashes_of(const struct linediff_text *text)
{
	uint64_t *hashes = xcalloc(text->count + 1, sizeof(*hashes));

	for (size_t i = 0; i < text->count; i++)
		hashes[i] = text->lines[i].hash;
	qsort(hashes, text->count, sizeof(*hashes), by_hash);
	return hashes;
}

/* Do they share more than half of the lines of the shorter? How many. */
static size_t shared(const struct linediff_text *a, const struct linediff_text *b)
{
	SCOPED_MEM in_a = hashes_of(a);
	SCOPED_MEM in_b = hashes_of(b);
	const uint64_t *x = in_a, *y = in_b;
	size_t least = a->count < b->count ? a->count : b->count, count = 0;

	for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
		count += x[i] == y[j];
		if (x[i] < y[j])
			i++;
		else if (x[i] > y[j])
			j++;
		else {
			i++;
			j++;
		}
	}
	return count * 2 > least ? count : 0;
}

/* Those whose subject changed: the one that shares most. */
static void pair_by_lines(struct side *a, struct side *b)
{
	for (size_t i = 0; i < a->in->count; i++) {
		size_t best = 0, most = 0;

		for (size_t j = 0; j < b->in->count && !a->other[i]; j++) {
			size_t n = b->other[j] ? 0 : shared(&a->texts[i], &b->texts[j]);

			if (n > most) {
				most = n;
				best = j;
			}
		}
		if (most > 0)
			pair(a, i, b, best);
	}
}

/* ---- Text ---- */

/* Changed lines with CONTEXT lines around them. */
struct printer {
	FILE *f;
	const struct linediff_line *before[CONTEXT]; /* a ring of the last common lines */
	size_t common;                               /* common lines since the last change */
	bool any;
};

static void line_put(struct printer *p, char sign, const struct linediff_line *line)
{
	(void)fprintf(p->f, "    %c", sign);
	(void)fwrite(line->text, 1, line->len, p->f);
	(void)fputc('\n', p->f);
}

static void print_line(void *arg, char sign, const struct linediff_line *line)
{
	struct printer *p = arg;
	size_t held;

	if (sign == ' ') {
		if (p->any && p->common < CONTEXT)
			line_put(p, ' ', line);
		else
			p->before[p->common % CONTEXT] = line;
		p->common++;
		return;
	}
	/* Behind a change its CONTEXT lines are out already. */
	held = p->any ? (p->common > CONTEXT ? p->common - CONTEXT : 0) : p->common;
	if (held > CONTEXT || (!p->any && held > 0))
		(void)fputs("    @@\n", p->f);
	for (size_t i = held > CONTEXT ? CONTEXT : held; i > 0; i--)
		line_put(p, ' ', p->before[(p->common - i) % CONTEXT]);
	line_put(p, sign, line);
	p->common = 0;
	p->any = true;
}

static void count_line(void *arg, char sign, const struct linediff_line *line)
{
	(void)line;
	*(bool *)arg |= sign != ' ';
}

static void head_put(FILE *f, const struct side *a, size_t i, const struct side *b, size_t j,
                     char sign)
{
	const char *subject = j ? b->in->patches[j - 1].subject : a->in->patches[i - 1].subject;

	if (i)
		(void)fprintf(f, "%zu: %s %c ", i, a->in->label, sign);
	else
		(void)fprintf(f, "-: %s %c ", a->in->label, sign);
	if (j)
		(void)fprintf(f, "%zu: %s %s\n", j, b->in->label, subject);
	else
		(void)fprintf(f, "-: %s %s\n", b->in->label, subject);
}

static void pair_put(FILE *f, const struct side *a, size_t i, const struct side *b, size_t j)
{
	struct printer printer = {.f = f};
	const char *old_subject = a->in->patches[i - 1].subject;
	bool renamed = strcmp(old_subject, b->in->patches[j - 1].subject) != 0;
	bool changed = renamed;

	(void)linediff_walk(&a->texts[i - 1], &b->texts[j - 1], count_line, &changed);
	head_put(f, a, i, b, j, changed ? '!' : '=');
	if (renamed)
		(void)fprintf(f, "    -Subject: %s\n    +Subject: %s\n", old_subject,
		              b->in->patches[j - 1].subject);
	if (changed)
		(void)linediff_walk(&a->texts[i - 1], &b->texts[j - 1], print_line, &printer);
}

char *patchdiff_text(const struct patchdiff_side *from, const struct patchdiff_side *to,
                     size_t *len)
{
	struct side a, b;
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (!f)
		abort();
	side_open(&a, from);
	side_open(&b, to);
	pair_by_subject(&a, &b);
	pair_by_lines(&a, &b);
	for (size_t i = 1; i <= from->count; i++)
		if (!a.other[i - 1])
			head_put(f, &a, i, &b, 0, '<');
	for (size_t j = 1; j <= to->count; j++) {
		if (b.other[j - 1])
			pair_put(f, &a, b.other[j - 1], &b, j);
		else
			head_put(f, &a, 0, &b, j, '>');
	}
	side_close(&a);
	side_close(&b);
	(void)fclose(f);
	return text;
}
