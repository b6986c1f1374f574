/* range.h - the headers Range and Content-Range (RFC 9110, section 14). Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum range_kind { RANGE_NONE, RANGE_OK, RANGE_UNSATISFIABLE };

/* "bytes=A-B", "bytes=A-" or "bytes=-N" against a thing of size bytes. RANGE_NONE for anything that is to be ignored
 * (other units, several ranges, nonsense); RANGE_OK sets the first and the last byte. */
enum range_kind range_parse(const char *text, int64_t size, int64_t *first, int64_t *last);

/* "bytes A-B/N" of an upload: A <= B < N. */
bool content_range_parse(const char *text, int64_t *first, int64_t *last, int64_t *total);
