/* The agent's request parser: what it takes must be a plan that the rest of the agent can trust. */
#include "agent/request.h"
#include "common/err.h"
#include "common/jx.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request req;
	struct err err = {0};

	if (request_parse(&req, (const char *)data, size, &err) < 0) {
		if (err.text[0] == '\0' || req.doc || req.tests)
			abort();
		return 0;
	}
	if (req.count == 0 || req.run < 1 || req.memory_mib < 1 || req.output_bytes < 1)
		abort();
	for (size_t i = 0; i < req.count; i++) {
		const struct planned *test = &req.tests[i];

		if (!jx_name_valid(test->name) || test->time_limit_s < 1 ||
		    !json_string_value(json_array_get(test->argv, 0)))
			abort();
	}
	if (!request_same(&req, &req))
		abort();
	request_release(&req);
	return 0;
}
