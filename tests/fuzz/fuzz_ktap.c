/* What a test program prints as KTAP: whatever comes, the paths are bounded UTF-8 and each is given once, the verdicts fit
 * together, and the same bytes give the same results. */
#include "agent/ktap.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATHS 256

struct seen {
	char paths[PATHS][KTAP_PATH + 1]; /* the first; the others are only counted */
	size_t cells, bad;
};

static void check_text(const char *text, size_t max)
{
	size_t len = strlen(text), n;

	if (len > max)
		abort();
	for (size_t at = 0; at < len; at += n) {
		n = utf8_length(text + at, len - at);
		if (n == 0)
			abort();
	}
}

static void on_cell(void *arg, const struct ktap_cell *cell)
{
	struct seen *seen = arg;

	check_text(cell->path, KTAP_PATH);
	check_text(cell->detail, KTAP_TEXT);
	check_text(cell->reason, 31);
	if (!*cell->path || cell->verdict == VERDICT_MISSING ||
	    (unsigned)cell->verdict >= VERDICT_COUNT)
		abort();
	if (cell->expected && cell->verdict != VERDICT_FAIL)
		abort();
	if (*cell->reason && cell->verdict == VERDICT_SKIP && !skip_reason_valid(cell->reason))
		abort();
	for (size_t i = 0; i < seen->cells && i < PATHS; i++)
		if (strcmp(seen->paths[i], cell->path) == 0)
			abort();
	if (seen->cells < PATHS)
		(void)memcpy(seen->paths[seen->cells], cell->path, strlen(cell->path) + 1);
	seen->cells++;
	seen->bad += cell->verdict == VERDICT_FAIL && !cell->expected;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct ktap *k = ktap_new(on_cell, seen);
	struct ktap_outcome out;
	const char *at = (const char *)data, *end = at + size;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = nl ? (size_t)(nl - at) : (size_t)(end - at);

		ktap_line(k, at, len);
		at += len + 1;
	}
	ktap_end(k, &out);
	check_text(out.reason, sizeof(out.reason) - 1);
	check_text(out.detail, sizeof(out.detail) - 1);
	if (seen->cells > KTAP_CELLS || out.results != (seen->cells > 0) || out.bad > out.trials)
		abort();
	if (seen->cells < KTAP_CELLS && (seen->bad > 0) != (out.verdict == VERDICT_FAIL))
		abort();
	ktap_free(k);
	free(seen);
	return 0;
}
