#include "agent/request.h"
#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char good[] =
	"{\"v\":1,\"run\":12,\"attempt\":1,\"leg\":2,\"fence\":7,\"limits\":{\"memory_mib\":48,\"output_bytes\":99},"
	"\"device\":\"/dev/mmcblk0p3\","
	"\"tests\":[{\"id\":4,\"name\":\"a\",\"rep\":3,\"argv\":[\"x\",\"\\u00e9\"],\"time_limit_s\":5},"
	"{\"id\":0,\"name\":\"b\",\"argv\":[\"y\"],\"later\":1}],\"later\":{}}";

static void a_good_request_is_read_whole(void **state)
{
	struct request req;
	struct err err = {0};

	(void)state;
	assert_int_equal(request_parse(&req, good, strlen(good), &err), 0);
	assert_int_equal(req.run, 12);
	assert_int_equal(req.leg, 2);
	assert_int_equal(req.fence, 7);
	assert_int_equal(req.memory_mib, 48);
	assert_int_equal(req.output_bytes, 99);
	assert_string_equal(req.device, "/dev/mmcblk0p3");
	assert_int_equal(req.count, 2);
	assert_int_equal(req.tests[0].id, 4);
	assert_int_equal(req.tests[0].rep, 3);
	assert_int_equal(req.tests[0].time_limit_s, 5);
	assert_int_equal(json_array_size(req.tests[0].argv), 2);
	assert_string_equal(req.tests[1].name, "b");
	assert_int_equal(req.tests[1].rep, 1);
	assert_int_equal(req.tests[1].time_limit_s, 60);
	request_release(&req);
}

static void limits_have_defaults(void **state)
{
	static const char text[] =
		"{\"v\":1,\"run\":1,\"attempt\":1,\"leg\":1,\"fence\":0,\"tests\":[{\"id\":0,\"name\":"
		"\"a\",\"argv\":[\"x\"]}]}";
	struct request req;

	(void)state;
	assert_int_equal(request_parse(&req, text, strlen(text), NULL), 0);
	assert_int_equal(req.memory_mib, 64);
	assert_null(req.device);
	assert_int_equal(req.output_bytes, 1 << 20);
	request_release(&req);
}

/* Everything that is wrong is said at once, each by its place. */
static void all_complaints_come_together(void **state)
{
	static const char text[] =
		"{\"v\":1,\"run\":0,\"attempt\":\"x\",\"fence\":1,\"tests\":[{\"id\":0,\"name\":\"-\",\"argv\":[]}]}";
	struct request req;
	struct err err = {0};

	(void)state;
	assert_int_equal(request_parse(&req, text, strlen(text), &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "/run: "));
	assert_non_null(strstr(err.text, "/attempt: must be an integer"));
	assert_non_null(strstr(err.text, "/leg: is required"));
	assert_non_null(strstr(err.text, "/tests/0/argv: "));
	assert_null(req.doc);
	assert_null(req.tests);
}

/* A document that is cut anywhere is refused, and leaves nothing behind. */
static void each_prefix_is_refused(void **state)
{
	struct request req;

	(void)state;
	for (size_t len = 0; len < sizeof(good) - 1; len++) {
		char *exact = malloc(len ? len : 1);

		(void)memcpy(exact, good, len);
		assert_int_equal(request_parse(&req, exact, len, NULL), -1);
		free(exact);
	}
}

/* The order of the keys does not make another request; any value does. */
static void same_and_other(void **state)
{
	static const char *const texts[] = {
		"{\"v\":1,\"run\":1,\"attempt\":1,\"leg\":1,\"fence\":1,\"tests\":[{\"id\":0,\"name\":\"a\",\"argv\":[\"x\"]}]}",
		"{\"tests\":[{\"argv\":[\"x\"],\"id\":0,\"name\":\"a\"}],\"fence\":1,\"leg\":1,\"attempt\":1,\"run\":1,\"v\":1}",
		"{\"v\":1,\"run\":1,\"attempt\":1,\"leg\":1,\"fence\":1,\"tests\":[{\"id\":0,\"name\":\"a\",\"argv\":[\"y\"]}]}",
	};
	struct request req[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(request_parse(&req[i], texts[i], strlen(texts[i]), NULL), 0);
	assert_true(request_same(&req[0], &req[1]));
	assert_false(request_same(&req[0], &req[2]));
	for (size_t i = 0; i < 3; i++)
		request_release(&req[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_request_is_read_whole),
		cmocka_unit_test(limits_have_defaults),
		cmocka_unit_test(all_complaints_come_together),
		cmocka_unit_test(each_prefix_is_refused),
		cmocka_unit_test(same_and_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
