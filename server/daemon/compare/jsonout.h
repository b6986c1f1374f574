/* jsonout.h - JSON written straight into one growing text: for documents of ten thousands of numbers, where a tree of
 * values takes longer than all the rest. The writer puts commas and braces itself. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct jsonout {
	char *text; /* owned; no NUL behind it before jsonout_end() */
	size_t len, room;
};

/* The text, with a NUL behind it; the caller frees. */
char *jsonout_end(struct jsonout *out);

void jsonout_bytes(struct jsonout *out, const char *bytes, size_t len);
static inline void jsonout_raw(struct jsonout *out, const char *text)
{
	jsonout_bytes(out, text, strlen(text));
}

void jsonout_int(struct jsonout *out, int64_t value);
void jsonout_text(struct jsonout *out, const char *text); /* quoted and escaped UTF-8; NULL: null */
void jsonout_part(struct jsonout *out, double value);     /* 0 ... 1, six digits */
void jsonout_number(struct jsonout *out,
                    double value); /* six significant digits; not finite: null */
