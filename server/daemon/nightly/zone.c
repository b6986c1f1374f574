#include "server/daemon/nightly/zone.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/civil.h"
#include "server/daemon/nightly/tzrule.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FILE_CAP       ((size_t)256 * 1024)
#define HEADER         44
#define NAME_MAX_BYTES 64

/* A moment from which another offset holds. */
struct edge {
	int64_t at, offset;
};

struct zone {
	struct edge *edges; /* owned; edges[0].at is INT64_MIN; neighbours differ in offset */
	size_t count;
	bool ruled;
	struct tzrule rule; /* behind the last edge, when ruled */
};

/* ---- Reading ---- */

struct reader {
	const unsigned char *at, *end;
	bool broken;
};

static const unsigned char *take(struct reader *r, size_t n)
{
	const unsigned char *at = r->at;

	if ((size_t)(r->end - r->at) < n) {
		r->broken = true;
		return NULL;
	}
	r->at += n;
	return at;
}

static int64_t big_endian(const unsigned char *p, size_t bytes)
{
	uint64_t value = p[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | p[i];
	return (int64_t)value;
}

struct counts {
	size_t utc, std, leap, time, type, chars;
};

static int header_read(struct reader *r, struct counts *c, char *version)
{
	const unsigned char *p = take(r, HEADER);
	size_t *const fields[] = {&c->utc, &c->std, &c->leap, &c->time, &c->type, &c->chars};

	if (!p || memcmp(p, "TZif", 4) != 0)
		return -1;
	*version = (char)p[4];
	for (size_t i = 0; i < 6; i++) {
		int64_t n = big_endian(p + 20 + 4 * i, 4);

		if (n < 0 || n > (int64_t)FILE_CAP)
			return -1;
		*fields[i] = (size_t)n;
	}
	return 0;
}

static size_t block_size(const struct counts *c, size_t width)
{
	return c->time * (width + 1) + c->type * 6 + c->chars + c->leap * (width + 4) + c->std +
	       c->utc;
}

static void edge_add(struct zone *zone, int64_t at, int64_t offset)
{
	if (!zone->edges)
		return; /* not so: edges_read() made them */
	if (zone->count > 0 && zone->edges[zone->count - 1].offset == offset)
		return;
	zone->edges[zone->count++] = (struct edge){at, offset};
}

static int edges_read(struct zone *zone, const unsigned char *block, const struct counts *c)
{
	const unsigned char *index = block + c->time * 8, *types = index + c->time;
	int64_t before = INT64_MIN;

	if (c->type == 0)
		return -1;
	zone->edges = xcalloc(c->time + 1, sizeof(*zone->edges));
	edge_add(zone, INT64_MIN, big_endian(types, 4));
	for (size_t i = 0; i < c->time; i++) {
		int64_t at = big_endian(block + 8 * i, 8);

		if (index[i] >= c->type || at <= before)
			return -1;
		edge_add(zone, at, big_endian(types + (size_t)6 * index[i], 4));
		before = at;
	}
	return 0;
}

/* Whether the rule goes on from the table as RFC 8536 section 3.3 wants it. Without an edge the table says nothing. */
static bool rule_fits(const struct zone *zone)
{
	const struct edge *last = zone->edges + zone->count - 1;

	if (!zone->ruled || zone->count == 1)
		return true;
	return last->offset == (zone->rule.changes ? tzrule_span_at(&zone->rule, last->at).offset
	                                           : zone->rule.standard);
}

/* The footer: a newline, the rule, a newline. Without a rule the last offset stays. */
static int footer_read(struct zone *zone, struct reader *r)
{
	const char *text = (const char *)r->at;
	const char *end = r->at < r->end && *text == '\n'
	                          ? memchr(text + 1, '\n', (size_t)(r->end - r->at - 1))
	                          : NULL;
	SCOPED_STR rule = end ? xstrndup(text + 1, (size_t)(end - text - 1)) : NULL;

	if (!rule)
		return -1;
	zone->ruled = *rule != '\0';
	if (zone->ruled && tzrule_parse(rule, &zone->rule) < 0)
		return -1;
	return rule_fits(zone) ? 0 : -1;
}

static int zone_read(struct zone *zone, struct reader *r)
{
	struct counts c;
	const unsigned char *block;
	char version;

	/* The first block has 32-bit times for old programs, and says how long it is. */
	if (header_read(r, &c, &version) < 0 || version < '2' || !take(r, block_size(&c, 4)) ||
	    header_read(r, &c, &version) < 0)
		return -1;
	block = take(r, block_size(&c, 8));
	if (!block || edges_read(zone, block, &c) < 0)
		return -1;
	return footer_read(zone, r);
}

struct zone *zone_parse(const void *data, size_t len, struct err *err)
{
	struct reader r = {.at = data, .end = (const unsigned char *)data + len};
	struct zone *zone = xcalloc(1, sizeof(*zone));

	if (zone_read(zone, &r) == 0)
		return zone;
	(void)err_set(err, ERR_PROTOCOL, "is no time zone file that this program can read");
	zone_free(zone);
	return NULL;
}

static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_BYTES && name[0] != '/' && name[0] != '.' &&
	       !strstr(name, "..") &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
	               len;
}

struct zone *zone_load(const char *dir, const char *name, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/%s", dir, name);
	SCOPED_STR data = NULL;
	struct err why;
	struct zone *zone;
	size_t len;

	if (!name_valid(name)) {
		(void)err_set(err, ERR_INVALID, "is no name of a time zone");
		return NULL;
	}
	data = fs_read_file(path, FILE_CAP, &len, &why);
	if (!data) {
		(void)err_set(err, ERR_NOTFOUND, "there is no time zone %s here", name);
		return NULL;
	}
	zone = zone_parse(data, len, err);
	if (!zone)
		(void)err_context(err, "%s", path);
	return zone;
}

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->edges);
	free(zone);
}

/* ---- Kept ones ---- */

static struct kept {
	char *name;
	struct zone *zone;
	struct kept *next;
} * kept; /* only grows: there are some six hundred names */
static pthread_mutex_t kept_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Where zones are: TZDIR is what the C library calls it, too. */
static const char *zone_dir(void)
{
	const char *dir = getenv("TZDIR");

	return dir && *dir == '/' ? dir : ZONE_DIR;
}

const struct zone *zone_named(const char *name, struct err *err)
{
	struct zone *zone = NULL;
	struct kept *k;

	(void)pthread_mutex_lock(&kept_mutex);
	for (k = kept; k && !zone; k = k->next)
		if (strcmp(k->name, name) == 0)
			zone = k->zone;
	if (!zone)
		zone = zone_load(zone_dir(), name, err);
	else
		name = NULL; /* it is there already */
	if (zone && name) {
		k = xcalloc(1, sizeof(*k));
		*k = (struct kept){.name = xstrdup(name), .zone = zone, .next = kept};
		kept = k;
	}
	(void)pthread_mutex_unlock(&kept_mutex);
	return zone;
}

/* ---- Looking ---- */

/* Narrow span, which begins at the last edge of the table, to what the rule says around t. */
static void span_by_rule(const struct zone *zone, int64_t t, struct zone_span *span)
{
	struct tzrule_span ruled;

	if (!zone->rule.changes) {
		span->offset = zone->rule.standard;
		return;
	}
	ruled = tzrule_span_at(&zone->rule, t);
	span->offset = ruled.offset;
	span->until = ruled.until;
	if (ruled.from > span->from) {
		span->from = ruled.from;
		span->before = ruled.before;
	}
}

struct zone_span zone_span_at(const struct zone *zone, int64_t t)
{
	size_t low = 0, high = zone->count;
	struct zone_span span = {.until = INT64_MAX};

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (zone->edges[mid].at <= t)
			low = mid;
		else
			high = mid;
	}
	span.from = zone->edges[low].at;
	span.offset = zone->edges[low].offset;
	span.before = zone->edges[low > 0 ? low - 1 : 0].offset;
	if (low + 1 < zone->count)
		span.until = zone->edges[low + 1].at;
	else if (zone->ruled)
		span_by_rule(zone, t, &span);
	return span;
}

void zone_format(const struct zone *zone, int64_t wall_us, char out[32])
{
	int64_t t = floor_div(wall_us, 1000000);
	int64_t offset = zone_span_at(zone, t).offset, local = t + offset;
	int64_t day = floor_div(local, DAY_S), minutes = (local - day * DAY_S) / 60;
	int64_t away = (offset < 0 ? -offset : offset) / 60;
	struct civil d = civil_date(day);

	(void)snprintf(out, 32, "%04d-%02d-%02d %02d:%02d %c%02d%02d", (int)d.year % 10000, d.month,
	               d.day, (int)(minutes / 60), (int)(minutes % 60), offset < 0 ? '-' : '+',
	               (int)(away / 60) % 100, (int)(away % 60));
}
