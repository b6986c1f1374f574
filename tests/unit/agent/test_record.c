#include "agent/record.h"

#include "agent/ktap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EXITED(code)  ((code) << 8)
#define SIGNALED(sig) (sig)

static void judge(const char *result, unsigned results, enum stop stop, int status,
                  const char *verdict, const char *reason)
{
	json_t *record = result ? json_loads(result, 0, NULL) : NULL;
	struct ending end = {.stop = stop, .status = status, .result = record, .results = results};
	struct judgement j = record_judge(&end);

	assert_true(result == NULL || record != NULL);
	assert_string_equal(verdict_name(j.verdict), verdict);
	assert_string_equal(j.reason, reason);
	json_decref(record);
}

static void judge_ktap(const struct ktap_outcome *ktap, enum stop stop, int status,
                       const char *verdict, const char *reason)
{
	struct ending end = {.stop = stop, .status = status};
	struct judgement j = record_judge_ktap(&end, ktap);

	assert_string_equal(verdict_name(j.verdict), verdict);
	assert_string_equal(j.reason, reason);
}

static void an_exit_code_makes_ktap_worse(void **state)
{
	const struct ktap_outcome pass = {
		.verdict = VERDICT_PASS, .results = true, .skip = "nodev"};
	const struct ktap_outcome fail = {.verdict = VERDICT_FAIL, .results = true};
	const struct ktap_outcome none = {.verdict = VERDICT_ERROR, .reason = "no-results"};

	(void)state;
	judge_ktap(&pass, STOP_NONE, EXITED(0), "pass", "");
	judge_ktap(&pass, STOP_NONE, EXITED(2), "pass", "");
	judge_ktap(&pass, STOP_NONE, EXITED(3), "pass", "");
	judge_ktap(&pass, STOP_NONE, EXITED(1), "fail", "exit:1");
	judge_ktap(&pass, STOP_NONE, EXITED(4), "skip", "nodev");
	judge_ktap(&pass, STOP_NONE, EXITED(127), "error", "exit:127");
	judge_ktap(&fail, STOP_NONE, EXITED(0), "fail", "");
	judge_ktap(&fail, STOP_NONE, EXITED(4), "fail", "");
	judge_ktap(&none, STOP_NONE, EXITED(1), "error", "no-results");
	judge_ktap(&none, STOP_NONE, EXITED(4), "skip", "");
	judge_ktap(&fail, STOP_TIMEOUT, EXITED(1), "error", "timeout");
	judge_ktap(&pass, STOP_NONE, SIGNALED(11), "error", "signal:11");
}

static void without_a_record_the_exit_code_speaks(void **state)
{
	(void)state;
	judge(NULL, 0, STOP_NONE, EXITED(0), "pass", "");
	judge(NULL, 0, STOP_NONE, EXITED(1), "fail", "");
	judge(NULL, 0, STOP_NONE, EXITED(4), "skip", "");
	judge(NULL, 0, STOP_NONE, EXITED(2), "error", "exit:2");
	judge(NULL, 0, STOP_NONE, EXITED(255), "error", "exit:255");
}

static void the_record_outranks_the_exit_code(void **state)
{
	(void)state;
	judge("{\"verdict\":\"fail\",\"reason\":\"stale\"}", 1, STOP_NONE, EXITED(0), "fail",
	      "stale");
	judge("{\"verdict\":\"inconclusive\"}", 1, STOP_NONE, EXITED(0), "inconclusive", "");
	judge("{\"verdict\":\"skip\",\"reason\":\"not-applicable(vivt)\"}", 1, STOP_NONE, EXITED(4),
	      "skip", "not-applicable(vivt)");
}

static void signals_and_stops_outrank_the_record(void **state)
{
	static const char pass[] = "{\"verdict\":\"pass\",\"reason\":null}";

	(void)state;
	judge(pass, 1, STOP_NONE, SIGNALED(11), "error", "signal:11");
	judge(pass, 1, STOP_TIMEOUT, EXITED(0), "error", "timeout");
	judge(pass, 1, STOP_OUTPUT, SIGNALED(9), "error", "output-limit");
	judge(pass, 1, STOP_MEMORY, SIGNALED(9), "error", "memory-limit");
	judge(pass, 1, STOP_CANCEL, SIGNALED(15), "error", "cancelled");
	judge(NULL, 0, STOP_EXEC, 0, "error", "exec-failed");
}

static void records_that_break_the_rules(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"verdict\":1}",
		"{\"verdict\":\"PASS\"}",
		"{\"verdict\":\"missing\"}",
		"{\"verdict\":\"skip\"}",
		"{\"verdict\":\"skip\",\"reason\":\"tired\"}",
		"{\"verdict\":\"pass\",\"reason\":[]}",
		"{\"verdict\":\"pass\",\"reason\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		judge(bad[i], 1, STOP_NONE, EXITED(0), "error", "bad-record");
	judge("{\"verdict\":\"pass\"}", 2, STOP_NONE, EXITED(0), "error", "bad-record");
}

static void known_types(void **state)
{
	static const struct {
		const char *text;
		bool known;
	} rows[] = {
		{"{\"type\":\"env\"}", true},
		{"{\"type\":\"mismatch\"}", true},
		{"{\"type\":\"cell\"}", true},
		{"{\"type\":\"result\"}", true},
		{"{\"type\":\"value\"}", true},
		{"{\"type\":\"progress\"}", true},
		{"{\"type\":\"failure\"}", true},
		{"{\"type\":\"build\"}", true},
		{"{\"type\":\"file\"}", true},
		{"{\"type\":\"\"}", false},
		{"{\"type\":null}", false},
		{"{}", false},
		{"[]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *record = json_loads(rows[i].text, 0, NULL);

		assert_int_equal(record_known(record), rows[i].known);
		json_decref(record);
	}
	assert_false(record_known(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exit_code_makes_ktap_worse),
		cmocka_unit_test(without_a_record_the_exit_code_speaks),
		cmocka_unit_test(the_record_outranks_the_exit_code),
		cmocka_unit_test(signals_and_stops_outrank_the_record),
		cmocka_unit_test(records_that_break_the_rules),
		cmocka_unit_test(known_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
