#include "server/daemon/series/linediff.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <stdbool.h>
#include <string.h>

/* FNV-1a */
static uint64_t hash_of(const char *text, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

void linediff_add(struct linediff_text *text, const char *line, size_t len)
{
	if (text->count == text->room) {
		text->room = text->room ? text->room * 2 : 256;
		text->lines = xrealloc(text->lines, text->room * sizeof(*text->lines));
	}
	text->lines[text->count++] = (struct linediff_line){line, len, hash_of(line, len)};
}

void linediff_release(struct linediff_text *text)
{
	free(text->lines);
	*text = (struct linediff_text){0};
}

static bool same(const struct linediff_line *a, const struct linediff_line *b)
{
	return a->hash == b->hash && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* What differs is between the common beginning and the common end: n lines of a, m lines of b. */
struct middle {
	const struct linediff_line *a, *b;
	long n, m;
	/* For each number of edits d, the furthest line of a on each diagonal k = x - y, at [d * d + d + k]: a triangle. */
	int32_t *furthest; /* owned */
	size_t room;       /* of it */
	bool *common_a;    /* owned, n of them: which lines of a are common */
	bool *common_b;
};

static int32_t *furthest_at(const struct middle *mid, long d, long k)
{
	return &mid->furthest[d * d + d + k];
}

/* Where d edits begin on diagonal k: one more line of b, or one more of a. */
static long edit_begin(const struct middle *mid, long d, long k, bool *down)
{
	*down = k == -d ||
	        (k != d && *furthest_at(mid, d - 1, k - 1) < *furthest_at(mid, d - 1, k + 1));
	return *down ? *furthest_at(mid, d - 1, k + 1) : *furthest_at(mid, d - 1, k - 1) + 1;
}

/* Follow lines that both have. */
static long slide(const struct middle *mid, long x, long k)
{
	while (x < mid->n && x - k < mid->m && same(&mid->a[x], &mid->b[x - k]))
		x++;
	return x;
}

/* One more edit on each diagonal. Is the end reached? */
static bool edits_round(struct middle *mid, long d)
{
	size_t cells = (size_t)((d + 1) * (d + 1));

	if (cells > mid->room) {
		mid->room = cells * 2;
		mid->furthest = xrealloc(mid->furthest, mid->room * sizeof(*mid->furthest));
	}
	for (long k = -d; k <= d; k += 2) {
		bool down;
		long x = d == 0 ? 0 : edit_begin(mid, d, k, &down);

		/* Outside of the texts a diagonal only goes on being outside. */
		if (x <= mid->n && x - k <= mid->m && x >= k)
			x = slide(mid, x, k);
		*furthest_at(mid, d, k) = (int32_t)x;
		if (x >= mid->n && x - k >= mid->m)
			return true;
	}
	return false;
}

/* Back from the end of d edits: what was slid over is common. */
static void edits_mark(struct middle *mid, long d)
{
	long x = mid->n, y = mid->m;

	for (; d >= 0; d--) {
		long k = x - y, from = 0;
		bool down = false;

		if (d > 0)
			from = edit_begin(mid, d, k, &down);
		while (x > from) {
			x--;
			y--;
			mid->common_a[x] = mid->common_b[y] = true;
		}
		if (down)
			y--;
		else
			x--;
	}
}

static void middle_solve(struct middle *mid)
{
	for (long d = 0; d <= LINEDIFF_EDITS && d <= mid->n + mid->m; d++)
		if (edits_round(mid, d)) {
			edits_mark(mid, d);
			return;
		}
}

static size_t middle_walk(const struct middle *mid, linediff_fn *fn, void *arg)
{
	size_t edits = 0;
	long x = 0, y = 0;

	while (x < mid->n || y < mid->m) {
		if (x < mid->n && !mid->common_a[x]) {
			fn(arg, '-', &mid->a[x++]);
			edits++;
		} else if (y < mid->m && !mid->common_b[y]) {
			fn(arg, '+', &mid->b[y++]);
			edits++;
		} else {
			fn(arg, ' ', &mid->b[y++]);
			x++;
		}
	}
	return edits;
}

size_t linediff_walk(const struct linediff_text *a, const struct linediff_text *b, linediff_fn *fn,
                     void *arg)
{
	size_t head = 0, tail = 0, least = a->count < b->count ? a->count : b->count, edits;
	struct middle mid;

	while (head < least && same(&a->lines[head], &b->lines[head]))
		fn(arg, ' ', &b->lines[head++]);
	while (tail < least - head &&
	       same(&a->lines[a->count - tail - 1], &b->lines[b->count - tail - 1]))
		tail++;
	mid = (struct middle){.a = a->lines + head,
	                      .b = b->lines + head,
	                      .n = (long)(a->count - head - tail),
	                      .m = (long)(b->count - head - tail)};
	mid.common_a = xcalloc((size_t)mid.n + 1, sizeof(bool));
	mid.common_b = xcalloc((size_t)mid.m + 1, sizeof(bool));
	middle_solve(&mid);
	edits = middle_walk(&mid, fn, arg);
	for (size_t i = b->count - tail; i < b->count; i++)
		fn(arg, ' ', &b->lines[i]);
	free(mid.furthest);
	free(mid.common_a);
	free(mid.common_b);
	return edits;
}
