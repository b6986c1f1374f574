/* test_record.c - the attempt directory: replay after a death at any byte, and the request in it. */
#include "server/board/record.h"

#include "common/boardfile.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char request_text[] =
	"{\"v\":1,\"run\":12,\"attempt\":2,\"fence\":7,\"board\":\"b\",\"cache\":\"vivt\",\"build\":{\"id\":1,\"name\":\"k\","
	"\"release\":\"6.1\",\"build_id\":null,\"cmdline\":\"\",\"files\":{\"kernel\":{\"path\":\"/k\",\"sha256\":\"" SHA
	"\",\"size\":5},\"dtb\":null}},\"suite\":{\"name\":\"s\",\"files\":[{\"name\":\"prog\",\"path\":\"/p\",\"sha256\":\"" SHA
	"\",\"size\":6}]},\"agent\":{\"path\":\"/a\",\"sha256\":\"" SHA "\",\"size\":7},\"tests\":["
	"{\"id\":3,\"name\":\"one\",\"rep\":1,\"argv\":[\"prog\",\"x\"],\"time_limit_s\":9},"
	"{\"id\":5,\"name\":\"two\",\"rep\":1,\"argv\":[\"true\"]}],\"limits\":{\"boot_s\":11,\"run_s\":22}}";

static char dir[] = "/tmp/cohort-test-record-XXXXXX";

static void put_file(const char *name, const char *text, size_t len)
{
	SCOPED_STR path = xasprintf("%s/%s", dir, name);
	SCOPED_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, len, NULL), 0);
}

static char *journal_text(size_t *len)
{
	SCOPED_STR path = xasprintf("%s/journal.ndjson", dir);
	struct err err;
	char *text = fs_read_file(path, 1 << 20, len, &err);

	assert_non_null(text);
	return text;
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	put_file("request.json", request_text, strlen(request_text));
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"request.json", "journal.ndjson", "run.log",
	                                    "console.log"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		SCOPED_STR path = xasprintf("%s/%s", dir, names[i]);

		(void)unlink(path);
	}
	return rmdir(dir);
}

static struct record *must_open(void)
{
	struct err err;
	struct record *r = record_open(dir, &err);

	if (!r)
		fail_msg("%s", err.text);
	return r;
}

static void put(struct record *r, const char *name, json_t *fields)
{
	struct err err;

	if (record_put(r, 1000, name, fields, &err) < 0)
		fail_msg("%s: %s", name, err.text);
}

static void write_journal(void)
{
	struct record *r;

	put_file("journal.ndjson", "", 0);
	r = must_open();
	put(r, "accepted", json_pack("{s:i}", "run", 12));
	put(r, "stage", json_pack("{s:s}", "stage", "test"));
	put(r, "leg", json_pack("{s:i, s:s}", "leg", 1, "boot_id", "x"));
	put(r, "test-started", json_pack("{s:i, s:i, s:i}", "id", 3, "leg", 1, "off", 50));
	put(r, "test-finished", json_pack("{s:i, s:i, s:i}", "id", 3, "leg", 1, "off", 90));
	record_close(r);
}

static void test_request(void **state)
{
	struct record *r;

	(void)state;
	put_file("journal.ndjson", "", 0);
	r = must_open();
	assert_int_equal(r->request.run, 12);
	assert_string_equal(r->request.release, "6.1");
	assert_null(r->request.build_id);
	assert_string_equal(r->request.build[BUILD_KERNEL].path, "/k");
	assert_null(r->request.build[BUILD_DTB].path);
	assert_int_equal(r->request.file_count, 2);
	assert_int_equal(r->request.boot_s, 11);
	assert_int_equal(r->request.tests[1].time_limit_s, 60);
	assert_int_equal(request_find(&r->request, 5), 1);
	assert_int_equal(request_find(&r->request, 4), -1);
	record_close(r);
}

static bool skip_first(const void *arg, size_t index)
{
	(void)arg;
	return index == 0;
}

static bool skip_none(const void *arg, size_t index)
{
	(void)arg;
	(void)index;
	return false;
}

static void test_leg_request(void **state)
{
	struct record *r = must_open();
	struct board_file board = {.root = "/root"};
	struct request_leg first = {
		.board = &board, .leg = 1, .stop_on_oops = true, .skip = skip_none};
	struct request_leg second = {.board = &board, .leg = 2, .skip = skip_first};
	SCOPED_JSON all = request_for_leg(&r->request, &first);
	SCOPED_JSON rest = (board.device = "/dev/mmcblk0p3", request_for_leg(&r->request, &second));
	json_t *tests = json_object_get(all, "tests");
	json_t *argv = json_object_get(json_array_get(tests, 0), "argv");

	(void)state;
	assert_int_equal(json_array_size(tests), 2);
	assert_string_equal(json_string_value(json_array_get(argv, 0)), "/root/files/" SHA);
	assert_string_equal(json_string_value(json_array_get(argv, 1)), "x");
	assert_int_equal(json_array_size(json_object_get(rest, "tests")), 1);
	assert_null(json_object_get(all, "device"));
	assert_string_equal(json_string_value(json_object_get(rest, "device")), "/dev/mmcblk0p3");
	assert_true(json_is_true(json_object_get(all, "stop_on_oops")));
	assert_true(json_is_false(json_object_get(rest, "stop_on_oops")));
	assert_int_equal(json_integer_value(json_object_get(rest, "leg")), 2);
	record_close(r);
}

#define SHA_2 "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char build_text[] =
	"{\"v\":1,\"run\":12,\"attempt\":2,\"fence\":7,\"board\":\"b\",\"cache\":\"none\",\"purpose\":\"build\","
	"\"build\":{\"name\":\"v2\",\"cmdline\":\"\"},\"suite\":{\"name\":\"kernel-build\",\"files\":[{\"name\":\"kbuild\","
	"\"path\":\"/p\",\"sha256\":\"" SHA
	"\",\"size\":6}]},\"agent\":{\"path\":\"/a\",\"sha256\":\"" SHA
	"\",\"size\":7},\"inputs\":[{\"name\":\"recipe.json\",\"path\":\"/r\",\"sha256\":\"" SHA_2
	"\",\"size\":8}],\"tests\":[{\"id\":0,\"name\":\"tree\",\"argv\":[\"kbuild\",\"tree\",\"file:recipe.json\","
	"\"tree:linux\"]}]}";

/* build_text with argv[2], argv[3] and the purpose as given. */
static json_t *build_doc(const char *file, const char *tree, const char *purpose)
{
	json_t *doc = jx_parse(build_text, strlen(build_text), 1 << 20, NULL);
	json_t *test = json_array_get(json_object_get(doc, "tests"), 0);
	json_t *argv = json_object_get(test, "argv");

	(void)json_array_set_new(argv, 2, json_string(file));
	(void)json_array_set_new(argv, 3, json_string(tree));
	(void)json_object_set_new(doc, "purpose", json_string(purpose));
	return doc;
}

static void test_build_request(void **state)
{
	SCOPED_JSON doc = build_doc("file:recipe.json", "tree:linux", "build");
	SCOPED_JSON trees = json_pack("{s:s}", "linux", "/srv/linux");
	struct board_file board = {.kind = BOARD_BUILDER,
	                           .root = "/root",
	                           .trees = trees,
	                           .make_jobs = 3,
	                           .bench_ms = 20};
	struct request_leg leg = {.board = &board, .leg = 1, .skip = skip_none};
	SCOPED_JSON out = NULL;
	struct request r;
	struct err err;
	json_t *argv;

	(void)state;
	(void)json_object_set_new(doc, "iterations", json_integer(7));
	assert_int_equal(request_parse(&r, doc, &err), 0);
	assert_true(r.builds);
	assert_int_equal(r.file_count, 3);
	assert_string_equal(r.files[2].sha256, SHA_2);
	assert_int_equal(request_fits(&r, &board, &err), 0);
	out = request_for_leg(&r, &leg);
	argv = json_object_get(json_array_get(json_object_get(out, "tests"), 0), "argv");
	assert_string_equal(json_string_value(json_array_get(argv, 0)), "/root/files/" SHA);
	assert_string_equal(json_string_value(json_array_get(argv, 1)), "tree");
	assert_string_equal(json_string_value(json_array_get(argv, 2)), "/root/files/" SHA_2);
	assert_string_equal(json_string_value(json_array_get(argv, 3)), "/srv/linux");
	assert_int_equal(json_integer_value(json_object_get(out, "make_jobs")), 3);
	assert_int_equal(json_integer_value(json_object_get(out, "bench_ms")), 20);
	assert_int_equal(json_integer_value(json_object_get(out, "iterations")), 7);
	board.kind = BOARD_HOST;
	assert_int_equal(request_fits(&r, &board, &err), -1);
	request_release(&r);
}

static void test_build_that_does_not_fit(void **state)
{
	static const struct {
		const char *file, *tree, *purpose, *complaint;
	} rows[] = {
		{"file:other", "tree:linux", "build", "file:other"},
		{"file:recipe.json", "tree:other", "build", "tree:other"},
		{"file:recipe.json", "tree:", "build", "tree:"},
		{"file:recipe.json", "tree:linux", "test", "does not test"},
	};
	SCOPED_JSON trees = json_pack("{s:s}", "linux", "/srv/linux");
	struct board_file board = {.kind = BOARD_BUILDER, .root = "/root", .trees = trees};
	SCOPED_JSON sung = build_doc("x", "y", "sing");
	struct request r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		SCOPED_JSON doc = build_doc(rows[i].file, rows[i].tree, rows[i].purpose);

		assert_int_equal(request_parse(&r, doc, &err), 0);
		assert_int_equal(request_fits(&r, &board, &err), -1);
		assert_non_null(strstr(err.text, rows[i].complaint));
		request_release(&r);
	}
	assert_int_equal(request_parse(&r, sung, &err), -1);
	assert_non_null(strstr(err.text, "/purpose"));
}

static void test_replay(void **state)
{
	struct record *r;

	(void)state;
	write_journal();
	r = must_open();
	assert_int_equal(r->attempt.n, 5);
	assert_int_equal(r->attempt.stage, STAGE_TEST);
	assert_int_equal(r->attempt.leg, 1);
	assert_int_equal(r->attempt.off, 90);
	assert_true(r->attempt.tests[0].finished);
	assert_false(r->attempt.tests[1].finished);
	record_close(r);
}

/* Killed at any byte of any write: the torn line is gone, and n goes on without a gap. */
static void test_torn_at_every_byte(void **state)
{
	size_t len = 0;
	SCOPED_STR whole = NULL;

	(void)state;
	write_journal();
	whole = journal_text(&len);
	for (size_t cut = 0; cut <= len; cut++) {
		struct record *r;
		size_t now = 0, lines = 0;
		SCOPED_STR text = NULL;

		for (size_t i = 0; i < cut; i++)
			lines += whole[i] == '\n';
		put_file("journal.ndjson", whole, cut);
		r = must_open();
		assert_int_equal(r->attempt.n, lines);
		put(r, "note", json_pack("{s:s}", "text", "on"));
		assert_int_equal(r->attempt.n, lines + 1);
		record_close(r);
		text = journal_text(&now);
		assert_int_equal(text[now - 1], '\n');
	}
}

static void test_refused_is_not_written(void **state)
{
	struct record *r;
	struct err err;
	uint64_t size;

	(void)state;
	write_journal();
	r = must_open();
	size = record_size(r);
	assert_int_equal(record_put(r, 1, "test-finished", json_pack("{s:i}", "id", 3), &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_int_equal(record_put(r, 1, "test-finished", json_pack("{s:i}", "id", 4), &err), -1);
	assert_int_equal(record_size(r), size);
	assert_int_equal(r->attempt.n, 5);
	record_close(r);
}

/* Output comes several lines at a time, and is read by people one line at a time. */
static void test_output_has_a_line_each(void **state)
{
	SCOPED_STR path = xasprintf("%s/run.log", dir);
	SCOPED_STR log = NULL;
	struct record *r;
	struct err err;
	size_t len = 0;

	(void)state;
	(void)unlink(path);
	write_journal();
	r = must_open();
	record_output(r, 0, "out", "one\ntwo\n\nfour");
	record_close(r);
	log = fs_read_file(path, 1 << 20, &len, &err);
	assert_non_null(log);
	assert_string_equal(log, "1970-01-01T00:00:00.000000Z out | one\n"
	                         "1970-01-01T00:00:00.000000Z out | two\n"
	                         "1970-01-01T00:00:00.000000Z out | \n"
	                         "1970-01-01T00:00:00.000000Z out | four\n");
}

/* A journal that is not ours to read is not guessed at. */
static void test_damaged(void **state)
{
	static const char *const texts[] = {
		"{\"n\":2,\"t\":1,\"ev\":\"note\"}\n",
		"nonsense\n",
		"{\"n\":1,\"t\":1,\"ev\":\"note\"}\n{\"n\":1,\"t\":1,\"ev\":\"note\"}\n",
		"{\"n\":1,\"t\":1,\"ev\":\"test-finished\",\"id\":99}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err err;

		put_file("journal.ndjson", texts[i], strlen(texts[i]));
		assert_null(record_open(dir, &err));
		assert_non_null(strstr(err.text, "journal.ndjson: line"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_leg_request),
		cmocka_unit_test(test_build_request),
		cmocka_unit_test(test_build_that_does_not_fit),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_torn_at_every_byte),
		cmocka_unit_test(test_refused_is_not_written),
		cmocka_unit_test(test_output_has_a_line_each),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
