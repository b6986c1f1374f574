/* evidence.h - what convinces a maintainer, as text for a terminal: mismatch records and kernel warnings of one result
 * (GET /api/v1/results/ID; the records are described in jobs/coherence/README.md). Records come from boards: fields that are
 * missing or odd are left out, and text is made safe. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* The whole result: verdict, where and with what it ran, each record with its map of bad half-lines, log around it. */
void evidence_print(const json_t *result);

/* The first record in one line, indented, below heading, which may be NULL. False when there is none, and then nothing is
 * printed. */
bool evidence_print_line(const json_t *result, const char *heading);
