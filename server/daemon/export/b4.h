/* b4.h - a comparison as the checks that b4 shows beside a series (docs/EXPORT.md). Pure. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The last column of a comparison that is no control: what a job is about. comparison is as docs/API.md has it. */
size_t export_b4_column(const json_t *comparison);

/* One check for each class and kind: what the column does against the base. base is the address of the server, or NULL. A
 * new reference to an array. */
json_t *export_b4(const json_t *comparison, size_t column, int64_t job, const char *base);
