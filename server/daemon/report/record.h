/* record.h - evidence in a few lines: what was read where, what the kernel said, and the end of the log. Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct page;

/* result as GET /results/{id} has it, with "evidence" and "log_excerpt": at most 6 lines. */
void record_lines(struct page *page, const json_t *result);

/* Is there anything to show? */
bool record_there(const json_t *result);
