/* tzrule.h - the rule behind the last entry of a time zone file: "CET-1CEST,M3.5.0,M10.5.0/3". Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When in a year: one of its days, and a time of that day that may be negative or over 24 h. */
struct tzrule_date {
	enum { TZRULE_MONTH, TZRULE_JULIAN, TZRULE_DAY } kind; /* Mm.w.d, Jn, n */
	int month, week, day;                                  /* of Mm.w.d; day: also n */
	int64_t time;                                          /* seconds, local time before */
};

struct tzrule {
	int64_t standard, summer; /* offsets, seconds */
	bool changes;
	struct tzrule_date begin, end; /* of summer, when it changes */
};

/* 0, or -1 when text is no rule. */
int tzrule_parse(const char *text, struct tzrule *rule);

struct tzrule_edge {
	int64_t at, offset; /* UTC seconds; the offset from then on */
};

#define TZRULE_YEARS 3
#define TZRULE_EDGES (2 * TZRULE_YEARS)

/* The changes of one year, in order of time, begin first where there is no summer between them: 2, or 0 for a rule without. */
size_t tzrule_edges(const struct tzrule *rule, int64_t year, struct tzrule_edge out[2]);
