/* A submission, from its bytes to its plan: whatever comes, there is a plan or there are complaints, never both, and
 * every run has a build and a board. */
#include "common/jx.h"
#include "server/daemon/plan/submission.h"
#include "tests/unit/plan/world.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct suites *suites;
	struct plan_world world;
	struct submission submission;
	struct jx_errors errors = {0};
	struct plan *plan;
	SCOPED_JSON doc = jx_parse((const char *)data, size, (size_t)1 << 20, NULL);
	SCOPED_JSON preview = NULL;

	if (!suites)
		suites = test_suites();
	if (!doc)
		return 0;
	world = test_world(suites);
	(void)submission_read(doc, &submission, &errors);
	plan = plan_make(&submission, &world, &errors);
	if (!plan == jx_ok(&errors))
		abort();
	if (plan) {
		preview = plan_preview(plan);
		if (!preview || !plan->text || plan->runs_count == 0 ||
		    json_array_size(plan->labels) != submission.columns)
			abort();
		for (size_t i = 0; i < plan->runs_count; i++)
			if (!plan->runs[i].build || json_array_size(plan->runs[i].boards) == 0)
				abort();
	}
	plan_free(plan);
	jx_errors_release(&errors);
	return 0;
}
