/* compare_json.h - a comparison as the API shows it (docs/API.md, "Compare"). Pure. */
#pragma once
#include <jansson.h>
#include <stddef.h>

struct comparison;

/* What columns are, beside the comparison: arrays with one item a column. */
struct compare_titles {
	const json_t *labels;  /* texts */
	const json_t *columns; /* {"label","role","series","revision","control"} */
	const json_t *builds;  /* [{"id","name"}] */
};

/* The document as text of *len bytes; the caller frees. */
char *compare_json(const struct comparison *comparison, const struct compare_titles *titles,
                   size_t *len);

/* One sentence on what the last revision changed, class by class. The caller frees it. */
char *compare_headline(const struct comparison *comparison, const json_t *labels);
