/* A board's journal, from its bytes to the attempt: whatever comes, what is taken is of the plan, each result at most once,
 * and nothing else than the known fields gets through. */
#include "common/err.h"
#include "common/lines.h"
#include "common/scoped.h"
#include "server/board/agentline.h"
#include "server/board/attempt.h"
#include "server/board/request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct planned plan[] = {
	{.id = 0, .name = "a"}, {.id = 1, .name = "b"}, {.id = 7, .name = "c"}};
static const struct request request = {.tests = plan, .count = 3};

static int take_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct attempt *a = arg;
	size_t finished = a->finished;
	struct agent_line line;
	struct err err = {0};

	if (agent_line_read(text, len, &line, &err) < 0) {
		if (err.text[0] == '\0' || line.fields)
			abort();
		return 0;
	}
	if (json_object_get(line.fields, "t") || json_object_get(line.fields, "off") ||
	    json_object_size(line.fields) > 14)
		abort();
	(void)json_object_set_new(line.fields, "off", json_integer((json_int_t)end));
	if (attempt_apply(a, line.fields, &err) < 0) {
		if (a->finished != finished)
			abort();
	} else if (line.event == AGENT_TEST_FINISHED &&
	           (line.verdict == VERDICT_MISSING || a->finished != finished + 1 ||
	            request_find(&request, line.id) < 0)) {
		abort();
	}
	agent_line_release(&line);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attempt a;
	struct lines lines;
	size_t half = size / 2;

	attempt_init(&a, &request);
	lines_init(&lines, AGENT_LINE_MAX);
	(void)lines_feed(&lines, 0, (const char *)data, half, take_line, &a);
	(void)lines_feed(&lines, half, (const char *)data + half, size - half, take_line, &a);
	if (a.finished > request.count)
		abort();
	lines_release(&lines);
	attempt_release(&a);
	return 0;
}
