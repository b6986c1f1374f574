/* Every job in jobs/ and every suite in jobs/suites is one. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/submission.h"
#include "server/daemon/suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_job(const char *path)
{
	struct err err = {0};
	SCOPED_JSON doc = jx_load(path, 1 << 20, &err);
	struct jx_errors errors = {0};
	struct submission submission;

	if (!doc)
		fail_msg("%s", err.text);
	(void)submission_read(doc, &submission, &errors);
	if (jx_errors_to_err(&errors, &err) < 0)
		fail_msg("%s: %s", path, err.text);
}

static void test_jobs(void **state)
{
	SCOPED_DIR dir = opendir(JOBS_DIR);
	struct dirent *entry;
	unsigned count = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		SCOPED_STR path = xasprintf("%s/%s", JOBS_DIR, entry->d_name);
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".json") != 0)
			continue;
		check_job(path);
		count++;
	}
	assert_in_range(count, 3, 1000);
}

static void test_suites(void **state)
{
	struct err err = {0};
	struct suites *suites = suites_load(JOBS_DIR "/suites", &err);

	(void)state;
	if (!suites)
		fail_msg("%s", err.text);
	assert_non_null(suite_find(suites, "smoke"));
	assert_string_equal(suite_find(suites, "kselftest")->tests[0].output, "ktap");
	suites_free(suites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_suites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
