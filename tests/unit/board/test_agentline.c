/* test_agentline.c - what is taken of a board's journal lines, and what is not. */
#include "server/board/agentline.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int reads(const char *text, struct agent_line *line)
{
	struct err err;

	return agent_line_read(text, strlen(text), line, &err);
}

#define FINISHED                                                                                   \
	"\"ev\":\"test-finished\",\"t\":5,\"id\":3,\"name\":\"n\",\"rep\":1,\"reason\":null,"      \
	"\"detail\":\"d\",\"trials\":null,\"bad\":0,\"duration_us\":7"

static void test_known_fields_only(void **state)
{
	struct agent_line line;

	(void)state;
	assert_int_equal(reads("{" FINISHED
	                       ",\"verdict\":\"pass\",\"leg\":9,\"off\":1,\"evil\":[1]}",
	                       &line),
	                 0);
	assert_int_equal(line.event, AGENT_TEST_FINISHED);
	assert_int_equal(line.id, 3);
	assert_int_equal(line.verdict, VERDICT_PASS);
	assert_null(json_object_get(line.fields, "t"));
	assert_null(json_object_get(line.fields, "leg"));
	assert_null(json_object_get(line.fields, "off"));
	assert_null(json_object_get(line.fields, "evil"));
	assert_string_equal(json_string_value(json_object_get(line.fields, "detail")), "d");
	assert_true(json_is_null(json_object_get(line.fields, "trials")));
	agent_line_release(&line);
}

static void test_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"[]",
		"{}",
		"nonsense",
		"{\"ev\":7}",
		"{\"ev\":\"ended\"}",
		"{\"ev\":\"leg\",\"leg\":2}",
		"{" FINISHED "}",
		"{" FINISHED ",\"verdict\":\"missing\"}",
		"{" FINISHED ",\"verdict\":\"wonderful\"}",
		"{" FINISHED ",\"verdict\":\"pass\",\"exit_code\":-1}",
		"{" FINISHED ",\"verdict\":\"pass\",\"signal\":\"11\"}",
		"{\"ev\":\"test-started\",\"id\":-1,\"name\":\"n\",\"rep\":1}",
		"{\"ev\":\"test-started\",\"id\":9007199254740993,\"name\":\"n\",\"rep\":1}",
		"{\"ev\":\"test-started\",\"id\":1,\"rep\":1}",
		"{\"ev\":\"test-output\",\"id\":1,\"stream\":\"side\",\"text\":\"\"}",
		"{\"ev\":\"test-record\",\"id\":1,\"record\":[]}",
		"{\"ev\":\"test-record\",\"id\":1,\"record\":{\"type\":\"song\"}}",
		"{\"ev\":\"test-record\",\"id\":1,\"record\":{\"type\":\"cell\",\"verdict\":\"x\"}}",
		"{\"ev\":\"test-record\",\"id\":1,\"record\":{\"type\":\"cell\",\"verdict\":1}}",
		"{\"ev\":\"kernel-warning\",\"id\":null,\"kind\":\"sneeze\",\"text\":\"\"}",
		"{\"ev\":\"agent-finished\",\"outcome\":\"splendid\"}",
		"{\"ev\":\"test-started\",\"id\":1,\"id\":2,\"name\":\"n\",\"rep\":1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct agent_line line;

		if (reads(lines[i], &line) == 0)
			fail_msg("taken: %s", lines[i]);
		assert_null(line.fields);
	}
}

#define SHA       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REC(rest) "{\"ev\":\"test-record\",\"id\":1,\"record\":{\"type\":" rest "}}"
#define FILE_OF(role, path, sha, size)                                                             \
	REC("\"file\",\"role\":\"" role "\",\"path\":" path ",\"sha256\":\"" sha                   \
	    "\",\"size\":" #size)
#define BUILD_OF(config, folded)                                                                                     \
	REC("\"build\",\"release\":\"6.1-cohort-0\",\"build_id\":null,\"compiler\":null,\"config_sha256\":\"" config \
	    "\",\"folded\":" folded)

static void test_records_of_a_build(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{FILE_OF("kernel", "\"/b/zImage\"", SHA, 5), 0},
		{FILE_OF("range-diff", "\"/b/r\"", SHA, 0), 0},
		{FILE_OF("kernel", "\"b/zImage\"", SHA, 5), -1},
		{FILE_OF("kernel", "\"\"", SHA, 5), -1},
		{FILE_OF("kernel", "\"/b/\\u0007\"", SHA, 5), -1},
		{FILE_OF("kernel", "7", SHA, 5), -1},
		{FILE_OF("passwords", "\"/b\"", SHA, 5), -1},
		{FILE_OF("kernel", "\"/b\"", "../../etc/shadow", 5), -1},
		{FILE_OF("kernel", "\"/b\"", SHA, -1), -1},
		{FILE_OF("kernel", "\"/b\"", SHA, 268435457), -1},
		{FILE_OF("dtb", "\"/b\"", SHA, 4194305), -1},
		{BUILD_OF(SHA, "null"), 0},
		{BUILD_OF(SHA, "\"vivt\""), 0},
		{BUILD_OF(SHA, "\"paper\""), -1},
		{BUILD_OF("short", "null"), -1},
		{REC("\"build\",\"release\":7"), -1},
		{REC("\"failure\",\"step\":\"make\",\"text\":\"x\",\"patch\":null,\"file\":\"a.c\",\"line\":3"),
	         0},
		{REC("\"failure\",\"step\":\"make\",\"text\":\"x\",\"line\":\"3\""), -1},
		{REC("\"failure\",\"step\":\"make\""), -1},
		{REC("\"commit\",\"id\":\"0123456789abcdef0123456789abcdef01234567\""), 0},
		{REC("\"commit\",\"id\":7"), -1},
		{REC("\"commit\""), -1},
		{REC("\"progress\",\"what\":\"make\",\"done\":1,\"total\":2"), 0},
		{REC("\"progress\",\"what\":\"make\",\"done\":-1,\"total\":2"), -1},
		{REC("\"progress\",\"what\":\"make\""), -1},
	};
	struct agent_line line;
	json_t *record;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (reads(rows[i].text, &line) != rows[i].rc)
			fail_msg("%s: not %d", rows[i].text, rows[i].rc);
		if (rows[i].rc == 0)
			agent_line_release(&line);
	}
	assert_int_equal(
		reads(REC("\"progress\",\"what\":\"m\",\"done\":1,\"total\":2,\"evil\":[]"), &line),
		0);
	record = json_object_get(line.fields, "record");
	assert_string_equal(json_string_value(json_object_get(record, "type")), "progress");
	assert_int_equal(json_integer_value(json_object_get(record, "total")), 2);
	assert_null(json_object_get(record, "evil"));
	agent_line_release(&line);
}

static void test_taken(void **state)
{
	static const struct {
		const char *text;
		enum agent_event event;
	} rows[] = {
		{"{\"ev\":\"agent-started\",\"v\":1,\"run\":1,\"attempt\":1,\"leg\":1,\"fence\":0,\"pid\":7,\"boot_id\":\"b\"}",
	         AGENT_STARTED},
		{"{\"ev\":\"facts\",\"facts\":{}}", AGENT_FACTS},
		{"{\"ev\":\"test-output\",\"id\":1,\"stream\":\"err\",\"text\":\"x\"}",
	         AGENT_TEST_OUTPUT},
		{"{\"ev\":\"test-record\",\"id\":1,\"record\":{\"type\":\"env\",\"any\":{\"thing\":1}}}",
	         AGENT_TEST_RECORD},
		{"{\"ev\":\"kernel-warning\",\"kind\":\"oops\",\"text\":\"x\"}",
	         AGENT_KERNEL_WARNING},
		{"{\"ev\":\"agent-finished\",\"outcome\":\"cancelled\",\"detail\":\"\",\"tests\":1}",
	         AGENT_FINISHED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct agent_line line;

		if (reads(rows[i].text, &line) < 0)
			fail_msg("refused: %s", rows[i].text);
		assert_int_equal(line.event, rows[i].event);
		agent_line_release(&line);
	}
}

static void test_bound(void **state)
{
	char *text = malloc(AGENT_LINE_MAX + 2);
	struct agent_line line;
	struct err err;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', AGENT_LINE_MAX + 2);
	memcpy(text, "{\"ev\":\"facts\",\"facts\":{}}", 25);
	assert_int_equal(agent_line_read(text, AGENT_LINE_MAX, &line, &err), 0);
	agent_line_release(&line);
	assert_int_equal(agent_line_read(text, AGENT_LINE_MAX + 1, &line, &err), -1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_fields_only),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_records_of_a_build),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
