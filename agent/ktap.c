/* A block is one level of results: it begins with a version line, a name ("# Subtest:", "# selftests:"), a plan or a
 * result, at some column, and the result line above it comes *behind* it, at a smaller column. So names are known from the
 * inside out, and results are held until the top-level one is in. */
#include "agent/ktap.h"

#include "agent/ktap_line.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NONE       (-1) /* the rank of nothing */
#define SEEN_SLOTS ((size_t)4 * KTAP_CELLS)

struct held {
	char *path, *detail; /* owned; detail may be NULL */
	enum verdict verdict;
	bool expected, leaf; /* leaf: it has no results inside */
	char reason[32];
};

struct block {
	size_t column;
	size_t first;  /* in held: the first that is inside */
	int64_t plan;  /* -1: none was said */
	int64_t count; /* results that came */
	int worst;     /* rank */
	char name[KTAP_NAME + 1];
};

/* How often a path was there, by its hash: a collision makes a "#2" too many, no more. */
struct seen {
	uint64_t hash; /* 0: free */
	unsigned count;
};

struct ktap {
	ktap_cell_fn *fn;
	void *arg;
	struct block blocks[KTAP_DEPTH]; /* outermost first */
	size_t depth;
	struct held *held; /* owned: KTAP_CELLS */
	size_t held_count, detail_bytes;
	size_t cells, left_out;   /* given to fn or held; too many or too deep */
	struct seen *seen;        /* owned: SEEN_SLOTS */
	char text[KTAP_TEXT + 1]; /* diagnostics since the last result */
	size_t text_len;
	int worst;                  /* rank of the top level's results */
	bool bailed;                /* Bail out!: nothing behind it counts */
	bool skip_all;              /* the top level's plan is 1..0 # SKIP */
	char skip[32];              /* the fixed word of the last skip at the top, or "" */
	char error[32];             /* why it is an error: the first cause */
	char why[256];              /* the same in words */
	char failed[KTAP_PATH + 1]; /* the first to fail */
	char skip_text[256];        /* of skip_all */
	int64_t trials, bad;        /* of results that have none inside */
};

/* --- ranks: the worst wins --- */

static const enum verdict ranks[] = {VERDICT_SKIP, VERDICT_PASS, VERDICT_INCONCLUSIVE,
                                     VERDICT_ERROR, VERDICT_FAIL};

static int rank_of(enum verdict verdict)
{
	for (size_t i = 0; i < sizeof(ranks) / sizeof(*ranks); i++)
		if (ranks[i] == verdict)
			return (int)i;
	return NONE;
}

static void worsen(int *worst, int rank)
{
	if (rank > *worst)
		*worst = rank;
}

static void blame(struct ktap *k, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Why the output as a whole is no good; the first cause stays. */
static void blame(struct ktap *k, const char *reason, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (*k->error)
		return;
	(void)snprintf(k->error, sizeof(k->error), "%s", reason);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* names and texts of a line fit */
	va_end(ap);
	(void)snprintf(k->why, sizeof(k->why), "%.*s",
	               (int)ktap_cut(text, strlen(text), sizeof(k->why) - 1), text);
}

/* --- held results --- */

static void hold(struct ktap *k, const char *name, const struct ktap_result *r, bool leaf,
                 const char *detail)
{
	struct held *h = &k->held[k->held_count];
	size_t len = strlen(detail);

	if (k->cells == KTAP_CELLS) {
		k->left_out++;
		return;
	}
	k->cells++;
	k->held_count++;
	*h = (struct held){.path = xstrdup(name),
	                   .verdict = r->verdict,
	                   .expected = r->expected,
	                   .leaf = leaf};
	(void)snprintf(h->reason, sizeof(h->reason), "%s", r->reason);
	if (len == 0 || k->detail_bytes + len > KTAP_DETAIL)
		return;
	h->detail = xstrdup(detail);
	k->detail_bytes += len;
}

/* All that is held from first on is inside of name. */
static void prefix(struct ktap *k, size_t first, const char *name)
{
	for (size_t i = first; i < k->held_count; i++) {
		char *path = xasprintf("%s/%s", name, k->held[i].path);
		size_t len = ktap_cut(path, strlen(path), KTAP_PATH);

		path[len] = '\0';
		free(k->held[i].path);
		k->held[i].path = path;
	}
}

/* Each path is given out once. Returns how often this one was there. */
static unsigned see(struct ktap *k, const char *path)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	size_t i;

	for (const char *p = path; *p; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
	hash |= 1;
	/* At most KTAP_CELLS paths and as many with a number go in: a free slot is found. */
	for (i = hash % SEEN_SLOTS; k->seen[i].hash && k->seen[i].hash != hash;)
		i = (i + 1) % SEEN_SLOTS;
	k->seen[i].hash = hash;
	return ++k->seen[i].count;
}

/* A name that was there before gets "#2" and so on. */
static char *unique(struct ktap *k, const char *path)
{
	unsigned count = see(k, path);

	while (count > 1) {
		SCOPED_STR tail = xasprintf("#%u", count);
		size_t len = ktap_cut(path, strlen(path), KTAP_PATH - strlen(tail));
		SCOPED_STR numbered = xasprintf("%.*s%s", (int)len, path, tail);

		if (see(k, numbered) == 1)
			return take_str(&numbered);
		count = see(k, path);
	}
	return xstrdup(path);
}

static void count(struct ktap *k, const struct held *h)
{
	bool bad = h->verdict == VERDICT_FAIL && !h->expected;

	if (bad && !*k->failed)
		(void)snprintf(k->failed, sizeof(k->failed), "%s", h->path);
	if (!h->leaf || (h->verdict != VERDICT_PASS && h->verdict != VERDICT_FAIL))
		return;
	k->trials++;
	k->bad += bad;
}

static void flush(struct ktap *k)
{
	for (size_t i = 0; i < k->held_count; i++) {
		struct held *h = &k->held[i];
		SCOPED_STR path = unique(k, h->path);
		struct ktap_cell cell = {.path = path,
		                         .verdict = h->verdict,
		                         .expected = h->expected,
		                         .reason = h->reason,
		                         .detail = h->detail ? h->detail : ""};

		k->fn(k->arg, &cell);
		count(k, h);
		free(h->path);
		free(h->detail);
	}
	k->held_count = 0;
	k->detail_bytes = 0;
}

/* --- blocks --- */

static struct block *top(struct ktap *k)
{
	return k->depth > 0 ? &k->blocks[k->depth - 1] : NULL;
}

static bool begin(struct ktap *k, size_t column)
{
	if (k->depth == KTAP_DEPTH) {
		k->left_out++;
		return false;
	}
	k->blocks[k->depth++] =
		(struct block){.column = column, .first = k->held_count, .plan = -1, .worst = NONE};
	return true;
}

/* Fewer results than planned: the program died, or its output was cut. */
static void check_plan(struct ktap *k, struct block *b)
{
	if (b->plan <= b->count)
		return;
	worsen(&b->worst, rank_of(VERDICT_ERROR));
	blame(k, "plan-not-met", "%s%s%" PRId64 " results were planned, %" PRId64 " came", b->name,
	      *b->name ? ": " : "", b->plan, b->count);
}

/* The innermost block ends, and the result line above it did not come. */
static void orphan(struct ktap *k)
{
	struct block b = *top(k);
	struct ktap_result r = {.verdict = VERDICT_ERROR};

	check_plan(k, &b);
	k->depth--;
	if (!*b.name)
		(void)snprintf(b.name, sizeof(b.name), "unnamed");
	prefix(k, b.first, b.name);
	(void)snprintf(r.reason, sizeof(r.reason), "unfinished");
	hold(k, b.name, &r, false, "");
	blame(k, "unfinished", "%s began and has no result", b.name);
	worsen(&b.worst, rank_of(VERDICT_ERROR));
	if (k->depth > 0)
		worsen(&top(k)->worst, b.worst);
	else
		worsen(&k->worst, b.worst);
}

/* The outermost block ends, where no result line is to come above it. */
static void end_outermost(struct ktap *k)
{
	struct block *b = top(k);

	check_plan(k, b);
	worsen(&k->worst, b->worst);
	k->depth = 0;
	flush(k);
}

/* Blocks with results that nothing can come for any more: all that are inside of column. */
static void close_inside(struct ktap *k, size_t column)
{
	while (k->depth > 0 && top(k)->column > column)
		orphan(k);
}

/* A version line or a name: a new block, or one that began and has nothing in it yet. */
static struct block *open_at(struct ktap *k, size_t column, bool named)
{
	struct block *b;

	close_inside(k, column);
	b = top(k);
	if (b && b->column == column) {
		if (b->count == 0 && b->first == k->held_count && (named ? !*b->name : b->plan < 0))
			return b;
		if (k->depth == 1 && column == 0)
			end_outermost(k);
		else
			orphan(k);
	}
	return begin(k, column) ? top(k) : NULL;
}

/* A plan or a result: of the block at its column, which may begin with it and with what is held from first on. */
static struct block *block_at(struct ktap *k, size_t column, size_t first)
{
	struct block *b = top(k);

	if (b && b->column == column)
		return b;
	if (!begin(k, column))
		return NULL;
	top(k)->first = first;
	return top(k);
}

/* --- lines --- */

/* Diagnostics, as many of the last as fit. */
static void add_text(struct ktap *k, const char *text)
{
	size_t len = strlen(text), room;

	if (len == 0 || len > KTAP_TEXT / 2)
		len = ktap_cut(text, len, KTAP_TEXT / 2);
	if (len == 0)
		return;
	while (k->text_len + len + 1 > KTAP_TEXT) {
		const char *nl = memchr(k->text, '\n', k->text_len);

		room = nl ? (size_t)(nl + 1 - k->text) : k->text_len;
		(void)memmove(k->text, k->text + room, k->text_len - room);
		k->text_len -= room;
	}
	if (k->text_len > 0)
		k->text[k->text_len++] = '\n';
	(void)memcpy(k->text + k->text_len, text, len);
	k->text_len += len;
	k->text[k->text_len] = '\0';
}

/* What is inside of a result makes it worse, never better; where a failure is expected, so are those inside. */
static void take_children(struct ktap *k, struct ktap_result *r, const struct block *child)
{
	prefix(k, child->first, r->name);
	for (size_t i = child->first; r->expected && i < k->held_count; i++)
		k->held[i].expected |= k->held[i].verdict == VERDICT_FAIL;
	if (r->expected || child->worst <= rank_of(r->verdict) ||
	    child->worst <= rank_of(VERDICT_PASS))
		return;
	r->verdict = ranks[child->worst];
	(void)snprintf(r->reason, sizeof(r->reason), "inside");
}

/* The blocks inside of column end with this result. Returns the first that is held of them. */
static size_t collect(struct ktap *k, struct ktap_result *r, size_t column)
{
	size_t first = k->held_count;

	while (k->depth > 0 && top(k)->column > column) {
		struct block *b = top(k);

		if (k->depth > 1 && k->blocks[k->depth - 2].column > column) {
			orphan(k);
			continue;
		}
		/* A program that skips in the middle has not broken its plan. */
		if (r->verdict != VERDICT_SKIP)
			check_plan(k, b);
		k->depth--;
		first = b->first;
		take_children(k, r, b);
	}
	return first;
}

static void name_result(struct ktap_result *r)
{
	if (!*r->name)
		(void)snprintf(r->name, sizeof(r->name), "test-%" PRId64, r->number);
}

static void take_result(struct ktap *k, struct ktap_result *r, size_t column)
{
	char detail[sizeof(r->text) + sizeof(k->text) + 2];
	bool passed = r->verdict == VERDICT_PASS;
	size_t first;
	struct block *b;

	name_result(r);
	first = collect(k, r, column);
	b = block_at(k, column, first);
	if (!b)
		return;
	b->count++;
	worsen(&b->worst, rank_of(r->expected ? VERDICT_PASS : r->verdict));
	if (r->verdict == VERDICT_ERROR)
		blame(k, *r->reason ? r->reason : "error", "%s: %s", r->name,
		      *r->text ? r->text : "error");
	if (r->verdict == VERDICT_SKIP && column == 0)
		(void)snprintf(k->skip, sizeof(k->skip), "%s", r->reason);
	(void)snprintf(detail, sizeof(detail), "%s%s%s", r->text,
	               *r->text && !passed && k->text_len > 0 ? "\n" : "", passed ? "" : k->text);
	detail[ktap_cut(detail, strlen(detail), KTAP_TEXT)] = '\0';
	hold(k, r->name, r, first == k->held_count, detail);
	k->text_len = 0;
	k->text[0] = '\0';
	if (column == 0 && k->depth == 1)
		flush(k);
}

static void take_plan(struct ktap *k, const struct ktap_parsed *p)
{
	struct block *b;

	close_inside(k, p->column);
	b = block_at(k, p->column, k->held_count);
	if (!b)
		return;
	b->plan = p->plan;
	if (p->plan != 0 || p->result.verdict != VERDICT_SKIP || p->column > 0)
		return;
	k->skip_all = true;
	(void)snprintf(k->skip, sizeof(k->skip), "%s", p->result.reason);
	(void)snprintf(k->skip_text, sizeof(k->skip_text), "%s", p->result.text);
}

/* A program under kselftest's runner that gives up is one bad result; the runner goes on. */
static void take_bail(struct ktap *k, const struct ktap_parsed *p)
{
	struct block *b;

	if (p->column == 0) {
		k->bailed = true;
		blame(k, "bail-out", "%.*s", (int)ktap_cut(p->text, strlen(p->text), 255), p->text);
		return;
	}
	close_inside(k, p->column);
	b = block_at(k, p->column, k->held_count);
	add_text(k, p->text);
	if (b)
		worsen(&b->worst, rank_of(VERDICT_ERROR));
}

void ktap_line(struct ktap *k, const char *line, size_t len)
{
	struct ktap_parsed p;
	struct block *b;

	if (k->bailed)
		return;
	ktap_parse(line, len, &p);
	switch (p.kind) {
	case KTAP_OTHER:
		return;
	case KTAP_NOTE:
		add_text(k, p.text);
		return;
	case KTAP_VERSION:
		(void)open_at(k, p.column, false);
		return;
	case KTAP_TITLE:
		b = open_at(k, p.column, true);
		if (b)
			(void)snprintf(b->name, sizeof(b->name), "%s", p.result.name);
		return;
	case KTAP_PLAN:
		take_plan(k, &p);
		return;
	case KTAP_RESULT:
		take_result(k, &p.result, p.column);
		return;
	case KTAP_BAIL:
		take_bail(k, &p);
		return;
	}
}

/* --- begin and end --- */

struct ktap *ktap_new(ktap_cell_fn *fn, void *arg)
{
	struct ktap *k = xcalloc(1, sizeof(*k));

	k->fn = fn;
	k->arg = arg;
	k->held = xcalloc(KTAP_CELLS, sizeof(*k->held));
	k->seen = xcalloc(SEEN_SLOTS, sizeof(*k->seen));
	k->worst = NONE;
	return k;
}

void ktap_free(struct ktap *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->held_count; i++) {
		free(k->held[i].path);
		free(k->held[i].detail);
	}
	free(k->held);
	free(k->seen);
	free(k);
}

static void close_all(struct ktap *k)
{
	if (k->left_out > 0) {
		blame(k, "too-many-results", "%zu results were left out", k->left_out);
		worsen(&k->worst, rank_of(VERDICT_ERROR));
	}
	while (k->depth > 1)
		orphan(k);
	if (k->depth == 1 && top(k)->column > 0 && *top(k)->name)
		orphan(k);
	else if (k->depth == 1)
		end_outermost(k);
	flush(k);
	if (k->bailed)
		worsen(&k->worst, rank_of(VERDICT_ERROR));
}

static void say_detail(const struct ktap *k, struct ktap_outcome *out)
{
	if (out->verdict == VERDICT_FAIL)
		(void)snprintf(out->detail, sizeof(out->detail),
		               "%" PRId64 " of %" PRId64 " failed, the first: %s%s%s", k->bad,
		               k->trials, k->failed, *k->why ? "; " : "", k->why);
	else if (out->verdict == VERDICT_ERROR)
		(void)snprintf(out->detail, sizeof(out->detail), "%s", k->why);
	else if (out->verdict == VERDICT_SKIP)
		(void)snprintf(out->detail, sizeof(out->detail), "%s", k->skip_text);
}

void ktap_end(struct ktap *k, struct ktap_outcome *out)
{
	close_all(k);
	*out = (struct ktap_outcome){.results = k->cells > 0, .trials = k->trials, .bad = k->bad};
	(void)snprintf(out->skip, sizeof(out->skip), "%s", k->skip);
	if (k->worst == NONE && k->skip_all && !*k->error) {
		out->verdict = VERDICT_SKIP;
	} else if (k->worst == NONE) {
		out->verdict = VERDICT_ERROR;
		blame(k, "no-results", "the program printed no result");
	} else {
		out->verdict = ranks[k->worst];
	}
	if (out->verdict == VERDICT_ERROR)
		(void)snprintf(out->reason, sizeof(out->reason), "%s", k->error);
	else if (out->verdict == VERDICT_SKIP)
		(void)snprintf(out->reason, sizeof(out->reason), "%s", k->skip);
	say_detail(k, out);
}
