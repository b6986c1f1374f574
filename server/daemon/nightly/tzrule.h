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

/* 0, or -1 when text is no rule. One whose summer never ends, or never lasts, changes nothing: standard is then its only offset
 * (RFC 8536 section 3.3.1 has "EST5EDT,0/0,J365/25" for a summer for ever). */
int tzrule_parse(const char *text, struct tzrule *rule);

/* The time around t in which the offset does not change: [from, until), UTC seconds. */
struct tzrule_span {
	int64_t from, until, offset, before; /* before: the offset right before from */
};

/* Of a rule that changes. Summers that run into each other are one, so what it says does not depend on where one looks from. */
struct tzrule_span tzrule_span_at(const struct tzrule *rule, int64_t t);
