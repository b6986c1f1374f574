/* text.h - the report of a job as plain text, made for a mailing list (docs/NIGHTLY.md, "The report"). Pure. */
#pragma once
#include <jansson.h>
#include <stddef.h>

struct page;

struct report_style {
	const char *from; /* address for Tested-by; NULL: none */
	const char *url;  /* of the farm's page, for a link; NULL: none */
	size_t lines;     /* at most; PAGE_LINES */
};

/* facts as facts.h makes them. */
void report_text(struct page *page, const json_t *facts, const struct report_style *style);
