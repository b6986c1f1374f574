/* compare_json.h - a comparison as the API shows it (docs/API.md, "Compare"). Pure. */
#pragma once
#include <jansson.h>

#include <stdbool.h>

struct comparison;

/* Does a pass on boards of this class and kind say something about coherency? */
bool compare_proves_coherency(const char *cache, const char *kind);

/* labels: one a column. The caller owns the reference; it has no "builds" yet. */
json_t *compare_json(const struct comparison *comparison, const json_t *labels);

/* One sentence on what the last build changed, class by class. The caller frees it. */
char *compare_headline(const struct comparison *comparison, const json_t *labels);
