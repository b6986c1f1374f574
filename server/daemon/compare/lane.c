#include "server/daemon/compare/lane.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/intern.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANK_PASS 2 /* what needs no word in the text */

void lane_release(struct lane *lane)
{
	for (size_t i = 0; i < lane->values_count; i++) {
		free(lane->values[i].samples.values);
		free(lane->values[i].samples.ends);
	}
	free(lane->values);
	free(lane->entries);
	rowmap_release(&lane->map);
	*lane = (struct lane){0};
}

/* --- results --- */

/* How much a result tells: the worst is shown. */
static unsigned rank_of(const struct compare_result *r)
{
	if (r->pending)
		return 1;
	switch (r->verdict) {
	case VERDICT_FAIL:
		return 8;
	case VERDICT_ERROR:
		return 6;
	case VERDICT_INCONCLUSIVE:
		return 5;
	case VERDICT_MISSING:
		return 4;
	case VERDICT_SKIP:
		return 3;
	case VERDICT_PASS:
		return r->warned ? 7 : RANK_PASS;
	case VERDICT_COUNT:
		break;
	}
	return 6;
}

static struct lane_entry *entry_of(struct lane *lane, const char *test, const char *cell)
{
	size_t *at = rowmap_at(&lane->map, test, cell);

	if (*at)
		return &lane->entries[*at - 1];
	if (lane->count == lane->room) {
		lane->room = lane->room ? lane->room * 2 : 64;
		lane->entries = xrealloc(lane->entries, lane->room * sizeof(*lane->entries));
	}
	lane->entries[lane->count] = (struct lane_entry){
		.test = test, .cell = cell, .order = INT64_MAX, .kind = COMPARE_INFO};
	*at = ++lane->count;
	return &lane->entries[lane->count - 1];
}

/* When builds disagree about a test's kind, the stricter one wins. Of results that tell as much, the first is shown. */
static void entry_add(struct lane_entry *e, const struct lane_entry *more)
{
	bool earlier = more->telling && (!e->telling || more->telling < e->telling);

	if (more->worst > e->worst || (more->worst == e->worst && earlier)) {
		e->worst = more->worst;
		e->telling = more->telling;
	}
	e->order = more->order < e->order ? more->order : e->order;
	e->kind = more->kind < e->kind ? more->kind : e->kind;
	e->pass += more->pass;
	e->fail += more->fail;
	e->skip += more->skip;
	e->other += more->other;
	e->missing += more->missing;
	e->pending += more->pending;
	e->warned += more->warned;
}

void lane_add_result(struct lane *lane, const struct compare_result *r)
{
	bool pass = !r->pending && r->verdict == VERDICT_PASS;
	bool fail = !r->pending && r->verdict == VERDICT_FAIL;
	bool skip = !r->pending && r->verdict == VERDICT_SKIP;
	bool missing = !r->pending && r->verdict == VERDICT_MISSING;
	const struct lane_entry one = {
		.order = r->test_id,
		.kind = r->kind,
		.pass = pass,
		.fail = fail,
		.skip = skip,
		.missing = missing,
		.pending = r->pending,
		.other = !r->pending && !pass && !fail && !skip && !missing,
		.warned = pass && r->warned,
		.worst = rank_of(r),
		.telling = r->id,
	};

	entry_add(entry_of(lane, r->test, r->cell), &one);
}

/* --- measured numbers --- */

/* NULL when the lane has no room for one more. */
static struct lane_value *value_of(struct lane *lane, const struct lane_value *like)
{
	struct lane_value *v;

	for (size_t i = 0; i < lane->values_count; i++) {
		v = &lane->values[i];
		if (v->test == like->test && v->cell == like->cell && v->name == like->name &&
		    v->unit == like->unit)
			return v;
	}
	if (lane->values_count == LANE_VALUES_MAX)
		return NULL;
	lane->values = xrealloc(lane->values, (lane->values_count + 1) * sizeof(*lane->values));
	v = &lane->values[lane->values_count++];
	*v = *like;
	v->samples = (struct samples){0};
	return v;
}

static void add_group(struct samples *s, const double *values, size_t count)
{
	s->values = xrealloc(s->values, (s->count + count + 1) * sizeof(*s->values));
	for (size_t i = 0; i < count; i++)
		if (isfinite(values[i]) && values[i] > 0)
			s->values[s->count++] = values[i];
	if (s->count == (s->groups ? s->ends[s->groups - 1] : 0))
		return;
	s->ends = xrealloc(s->ends, (s->groups + 1) * sizeof(*s->ends));
	s->ends[s->groups++] = s->count;
}

void lane_add_value(struct lane *lane, const struct lane_value *value)
{
	const struct samples *from = &value->samples;
	struct lane_value *to = value_of(lane, value);

	for (size_t g = 0, first = 0; to && g < from->groups; first = from->ends[g++]) {
		size_t count = from->ends[g] - first;

		if (to->samples.count + count > SAMPLES_MAX)
			return;
		add_group(&to->samples, from->values + first, count);
	}
}

/* --- text ---
 * A line each: "t LEN:TEST" (the test of the lines below), "c" and letters with numbers, "=LEN:CELL" (an entry), and
 * "v LEN:CELL LEN:NAME LEN:UNIT" with groups of numbers. Only what is not 0, or the usual, is written: most rows are a
 * cell that passed. Lengths are in bytes, since a cell may be any text. */

static const struct {
	char letter;
	size_t offset;
} counts[] = {
	{'p', offsetof(struct lane_entry, pass)},    {'f', offsetof(struct lane_entry, fail)},
	{'s', offsetof(struct lane_entry, skip)},    {'o', offsetof(struct lane_entry, other)},
	{'m', offsetof(struct lane_entry, missing)}, {'w', offsetof(struct lane_entry, warned)},
};

#define COUNTS (sizeof(counts) / sizeof(*counts))

static size_t *count_at(struct lane_entry *e, size_t i)
{
	return (size_t *)(void *)((char *)e + counts[i].offset);
}

static void write_entry(FILE *out, const struct lane_entry *from)
{
	struct lane_entry e = *from;

	(void)fputc('c', out);
	for (size_t i = 0; i < COUNTS; i++)
		if (*count_at(&e, i) > 0)
			(void)fprintf(out, "%c%zu", counts[i].letter, *count_at(&e, i));
	(void)fprintf(out, "i%" PRId64, e.order);
	if (e.kind != COMPARE_CONTRACT)
		(void)fprintf(out, "k%d", (int)e.kind);
	if (e.worst != RANK_PASS)
		(void)fprintf(out, "x%u", e.worst);
	if (e.telling)
		(void)fprintf(out, "r%" PRId64, e.telling);
	(void)fprintf(out, "=%zu:%s\n", strlen(e.cell), e.cell);
}

static void write_value(FILE *out, const struct lane_value *v)
{
	(void)fprintf(out, "t %zu:%s\nv %zu:%s %zu:%s %zu:%s", strlen(v->test), v->test,
	              strlen(v->cell), v->cell, strlen(v->name), v->name, strlen(v->unit), v->unit);
	for (size_t g = 0, i = 0; g < v->samples.groups; g++) {
		(void)fputs(g > 0 ? " |" : "", out);
		for (; i < v->samples.ends[g]; i++)
			(void)fprintf(out, " %.17g", v->samples.values[i]);
	}
	(void)fputc('\n', out);
}

char *lane_text(const struct lane *lane)
{
	const char *test = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* out of memory */
	for (size_t i = 0; i < lane->count; i++) {
		const struct lane_entry *e = &lane->entries[i];

		if (e->test != test)
			(void)fprintf(out, "t %zu:%s\n", strlen(e->test), e->test);
		test = e->test;
		write_entry(out, e);
	}
	for (size_t i = 0; i < lane->values_count; i++)
		write_value(out, &lane->values[i]);
	(void)fclose(out);
	return text;
}

/* Where the reader is; end is the NUL behind the text. */
struct reader {
	const char *at, *end;
	struct intern *texts;
	bool wrong;
};

static int64_t read_number(struct reader *r)
{
	int64_t n = 0;

	r->wrong |= *r->at < '0' || *r->at > '9';
	for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
		r->wrong |= n > (INT64_MAX - 9) / 10;
		n = r->wrong ? 0 : n * 10 + (*r->at - '0');
	}
	return n;
}

static void expect(struct reader *r, char c)
{
	r->wrong |= *r->at != c;
	r->at += !r->wrong;
}

/* "LEN:TEXT" */
static const char *read_text(struct reader *r)
{
	int64_t len = read_number(r);
	const char *text;

	expect(r, ':');
	r->wrong |= len > r->end - r->at;
	if (r->wrong)
		return "";
	text = intern_span(r->texts, r->at, (size_t)len);
	r->at += len;
	return text;
}

static void read_letter(struct reader *r, struct lane_entry *e)
{
	char letter = *r->at++;
	int64_t n = read_number(r);

	for (size_t i = 0; i < COUNTS; i++) {
		if (counts[i].letter == letter) {
			*count_at(e, i) = (size_t)n;
			return;
		}
	}
	if (letter == 'i')
		e->order = n;
	else if (letter == 'k' && n <= COMPARE_INFO)
		e->kind = (enum compare_test_kind)n;
	else if (letter == 'x' && n < 16)
		e->worst = (unsigned)n;
	else if (letter == 'r')
		e->telling = n;
	else
		r->wrong = true;
}

static void read_entry(struct reader *r, struct lane *lane, const char *test)
{
	struct lane_entry e = {.test = test, .worst = RANK_PASS};

	while (!r->wrong && r->at < r->end && *r->at != '=')
		read_letter(r, &e);
	expect(r, '=');
	e.cell = read_text(r);
	if (!r->wrong)
		entry_add(entry_of(lane, test, e.cell), &e);
}

/* " 1 2 3 | 4 5 6": not more than the lane will have. */
static void read_samples(struct reader *r, struct samples *s, double values[SAMPLES_MAX],
                         size_t ends[SAMPLES_MAX])
{
	s->values = values;
	s->ends = ends;
	while (!r->wrong && *r->at == ' ') {
		char *end = NULL;

		if (strncmp(r->at, " |", 2) == 0 && s->groups + 1 < SAMPLES_MAX) {
			ends[s->groups++] = s->count;
			r->at += 2;
			continue;
		}
		if (s->count < SAMPLES_MAX)
			values[s->count++] = strtod(r->at, &end);
		r->wrong = !end || end == r->at;
		r->at = r->wrong ? r->at : end;
	}
	ends[s->groups++] = s->count;
}

static void read_value(struct reader *r, struct lane *lane, const char *test)
{
	double values[SAMPLES_MAX];
	size_t ends[SAMPLES_MAX];
	struct lane_value v = {.test = test};

	expect(r, ' ');
	v.cell = read_text(r);
	expect(r, ' ');
	v.name = read_text(r);
	expect(r, ' ');
	v.unit = read_text(r);
	read_samples(r, &v.samples, values, ends);
	if (!r->wrong)
		lane_add_value(lane, &v);
}

int lane_add_text(struct lane *lane, const char *text, struct intern *texts, struct err *err)
{
	struct reader r = {.at = text, .end = text + strlen(text), .texts = texts};
	const char *test = NULL;

	while (r.at < r.end && !r.wrong) {
		char kind = *r.at++;

		if (kind == 't') {
			expect(&r, ' ');
			test = read_text(&r);
		} else if (kind == 'c' && test) {
			read_entry(&r, lane, test);
		} else if (kind == 'v' && test) {
			read_value(&r, lane, test);
		} else {
			r.wrong = true;
		}
		expect(&r, '\n');
	}
	if (r.wrong)
		return err_set(err, ERR_INVALID, "not a lane's text, at byte %td", r.at - text);
	return 0;
}
