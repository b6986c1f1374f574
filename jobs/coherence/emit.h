/* emit.h - print a report: JSON lines (docs: README.md) or KTAP. */
#pragma once
#include "report.h"

#include <stdio.h>

#define LINE_MAX_BYTES 16384U

/* One line for each mismatch, one for each cell, and last one for the test. */
void emit_json(FILE *out, const struct report *report);

/* The head of a KTAP document with this many tests. */
void emit_ktap_plan(FILE *out, size_t tests_planned);

/* The test as result number of that document, its cells as subtests. */
void emit_ktap(FILE *out, const struct report *report, size_t number);

/* The whole table of tests as one JSON document. Returns 0, or -1 when it did not fit. */
int emit_list(FILE *out);
