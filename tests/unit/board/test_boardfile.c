/* test_boardfile.c - docs/BOARDFILE.md, field by field: what is taken and what is refused by name. */
#include "common/boardfile.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HOST_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHbFqEHh1ZkLXT2Z5XV0m2dOQ9a0k6fxhVhTQw4M5ygJ"

static const char good[] =
	"{\"name\":\"n810\",\"kind\":\"physical\",\"cache\":\"vipt-aliasing\",\"arch\":\"armel\","
	"\"tags\":[\"omap2\"],\"ssh\":{\"host\":\"10.0.0.9\",\"key\":\"keys/n810\",\"host_key\":"
	"\"" HOST_KEY "\"},\"boot\":{\"method\":\"command\",\"command\":[\"bin/boot\",\"a/b\"]},"
	"\"power\":{\"off\":[\"pdu\",\"off\"],\"off_at_quit\":true},\"console\":{\"tcp\":\"[::1]:3001\"}}";

/* The good document with one JSON merge patch applied at the top. */
static struct board_file *with(const char *patch, struct jx_errors *errors)
{
	struct err err;
	SCOPED_JSON doc = jx_parse(good, strlen(good), 65536, &err);
	SCOPED_JSON over = jx_parse(patch, strlen(patch), 65536, &err);
	const char *key;
	json_t *value;

	assert_non_null(doc);
	assert_non_null(over);
	json_object_foreach(over, key, value)
	{
		if (json_is_null(value))
			(void)json_object_del(doc, key);
		else
			(void)json_object_set(doc, key, value);
	}
	return board_file_parse(doc, "/", errors);
}

static void test_good(void **state)
{
	struct jx_errors errors = {0};
	struct board_file *b = with("{}", &errors);

	(void)state;
	assert_non_null(b);
	assert_true(jx_ok(&errors));
	assert_string_equal(b->name, "n810");
	assert_int_equal(b->kind, BOARD_PHYSICAL);
	assert_int_equal(b->cache, CACHE_VIPT_ALIASING);
	assert_string_equal(b->root, "/var/lib/cohort");
	assert_int_equal(b->memory_mib, 64);
	assert_int_equal(b->ssh.port, 22);
	assert_string_equal(b->ssh.user, "root");
	assert_int_equal(b->boot.method, BOARD_BOOT_COMMAND);
	assert_int_equal(b->boot.time_limit_s, 180);
	assert_string_equal(b->boot.command[1], "a/b");
	assert_null(b->boot.command[2]);
	assert_string_equal(b->power.command[POWER_OFF][0], "pdu");
	assert_null(b->power.command[POWER_STATUS]);
	assert_true(b->power.off_at_quit);
	assert_int_equal(b->console.type, BOARD_CONSOLE_TCP);
	assert_string_equal(b->console.host, "::1");
	assert_string_equal(b->console.port, "3001");
	assert_null(b->disabled);
	assert_null(b->device);
	board_file_free(b);
}

static void test_paths_are_relative_to_the_file(void **state)
{
	struct jx_errors errors = {0};
	struct board_file *b = with("{}", &errors);

	(void)state;
	assert_non_null(b);
	assert_string_equal(b->ssh.key, "//keys/n810");
	assert_string_equal(b->boot.command[0], "//bin/boot");
	board_file_free(b);
}

static void test_refused(void **state)
{
	static const struct {
		const char *patch, *pointer;
	} table[] = {
		{"{\"name\":null}", "/name"},
		{"{\"name\":\"a b\"}", "/name"},
		{"{\"kind\":\"toy\"}", "/kind"},
		{"{\"cache\":\"unknown\"}", "/cache"},
		{"{\"arch\":\"m68k\"}", "/arch"},
		{"{\"tags\":[\"ok\",\"no way\"]}", "/tags/1"},
		{"{\"root\":\"relative\"}", "/root"},
		{"{\"root\":\"/a b\"}", "/root"},
		{"{\"root\":\"/a;reboot\"}", "/root"},
		{"{\"memory_mib\":8}", "/memory_mib"},
		{"{\"device\":\"mmcblk0p3\"}", "/device"},
		{"{\"colour\":\"red\"}", "/colour"},
		{"{\"ssh\":{\"host\":\"h\",\"key\":\"k\"}}", "/ssh"},
		{"{\"ssh\":{\"host\":\"h\",\"host_key_file\":\"f\"}}", "/ssh/key"},
		{"{\"ssh\":{\"host\":\"h\",\"key\":\"k\",\"host_key\":\"ssh-rsa AAAA\"}}",
	         "/ssh/host_key"},
		{"{\"ssh\":{\"host\":\"h\",\"key\":\"k\",\"host_key_file\":\"f\",\"port\":0}}",
	         "/ssh/port"},
		{"{\"boot\":{\"method\":\"magic\"}}", "/boot/method"},
		{"{\"boot\":{\"method\":\"command\"}}", "/boot/command"},
		{"{\"boot\":{\"method\":\"command\",\"command\":[]}}", "/boot/command"},
		{"{\"boot\":{\"method\":\"command\",\"command\":[1]}}", "/boot/command/0"},
		{"{\"boot\":{\"method\":\"none\",\"command\":[\"x\"]}}", "/boot/command"},
		{"{\"boot\":{\"method\":\"none\",\"time_limit_s\":3601}}", "/boot/time_limit_s"},
		{"{\"power\":{\"off_at_quit\":true}}", "/power/off_at_quit"},
		{"{\"power\":{\"explode\":[\"x\"]}}", "/power/explode"},
		{"{\"console\":{\"tcp\":\"nohost\"}}", "/console/tcp"},
		{"{\"console\":{\"tcp\":\"h:99999\"}}", "/console/tcp"},
		{"{\"console\":{\"tcp\":\"::1:300\"}}", "/console/tcp"},
		{"{\"console\":{\"tcp\":\"h:1\",\"unix\":\"s\"}}", "/console"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct jx_errors errors = {0};
		const char *pointer;

		assert_null(with(table[i].patch, &errors));
		assert_true(json_array_size(errors.list) >= 1);
		pointer = json_string_value(
			json_object_get(json_array_get(errors.list, 0), "pointer"));
		if (strcmp(pointer, table[i].pointer) != 0)
			fail_msg("%s: complained about %s", table[i].patch, pointer);
		jx_errors_release(&errors);
	}
}

#define BUILDER                                                                                    \
	"\"kind\":\"builder\",\"cache\":\"none\",\"boot\":{\"method\":\"none\"},\"power\":null,"   \
	"\"console\":null"

static void test_builder(void **state)
{
	static const struct {
		const char *patch, *pointer;
	} table[] = {
		{"{" BUILDER "}", "/trees"},
		{"{" BUILDER ",\"trees\":{}}", "/trees"},
		{"{" BUILDER ",\"trees\":{\"a b\":\"/x\"}}", "/trees/a b"},
		{"{" BUILDER ",\"trees\":{\"linux\":\"x\"}}", "/trees/linux"},
		{"{" BUILDER ",\"trees\":{\"linux\":7}}", "/trees/linux"},
		{"{" BUILDER ",\"trees\":{\"linux\":\"/x\\n\"}}", "/trees/linux"},
		{"{" BUILDER ",\"trees\":{\"linux\":\"/x\"},\"make_jobs\":0}", "/make_jobs"},
		{"{\"kind\":\"builder\",\"trees\":{\"linux\":\"/x\"},\"boot\":{\"method\":\"none\"}}",
	         "/cache"},
		{"{\"kind\":\"builder\",\"cache\":\"none\",\"trees\":{\"linux\":\"/x\"}}",
	         "/boot/method"},
		{"{\"trees\":{\"linux\":\"/x\"}}", "/trees"},
		{"{\"make_jobs\":4}", "/make_jobs"},
		{"{\"bench_ms\":0}", "/bench_ms"},
	};
	struct jx_errors errors = {0};
	struct board_file *b = with("{" BUILDER ",\"trees\":{\"linux\":\"/x/y\"}}", &errors);

	(void)state;
	assert_non_null(b);
	assert_int_equal(b->kind, BOARD_BUILDER);
	assert_string_equal(board_kind_name(b->kind), "builder");
	assert_int_equal(b->memory_mib, 4096);
	assert_int_equal(b->make_jobs, 0);
	assert_string_equal(board_file_tree(b, "linux"), "/x/y");
	assert_null(board_file_tree(b, "other"));
	board_file_free(b);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		assert_null(with(table[i].patch, &errors));
		if (strcmp(json_string_value(
				   json_object_get(json_array_get(errors.list, 0), "pointer")),
		           table[i].pointer) != 0)
			fail_msg("%s: no complaint about %s", table[i].patch, table[i].pointer);
		jx_errors_release(&errors);
	}
}

static void test_every_error_at_once(void **state)
{
	struct jx_errors errors = {0};

	(void)state;
	assert_null(
		with("{\"kind\":\"toy\",\"cache\":\"huge\",\"console\":{\"tcp\":\"x\"}}", &errors));
	assert_int_equal(json_array_size(errors.list), 3);
	jx_errors_release(&errors);
	/* A field of a wrong type hides no other wrong field. */
	assert_null(with("{\"name\":7,\"cache\":\"huge\",\"root\":\"x\",\"tags\":[\"a b\"],"
	                 "\"boot\":{\"method\":\"magic\",\"time_limit_s\":0}}",
	                 &errors));
	assert_int_equal(json_array_size(errors.list), 6);
	jx_errors_release(&errors);
}

static void test_load_names_the_file(void **state)
{
	struct err err;

	(void)state;
	assert_null(board_file_load("/nonexistent/board.json", &err));
	assert_non_null(strstr(err.text, "/nonexistent/board.json"));
}

/* The fingerprint is what ssh-keygen -lf prints for this key. */
static void test_host_key(void **state)
{
	struct host_key key;
	struct err err;

	(void)state;
	assert_int_equal(host_key_parse(HOST_KEY " root@board\n", &key, &err), 0);
	assert_string_equal(key.type, "ssh-ed25519");
	assert_int_equal(key.len, 51);
	assert_string_equal(key.fingerprint, "SHA256:yrWkcJW+AcgHW2Yjso8zRjD2+03WUTYH0c7wqswK4tA");
	assert_int_equal(host_key_parse("", &key, &err), -1);
	assert_int_equal(host_key_parse("ssh-ed25519", &key, &err), -1);
	assert_int_equal(host_key_parse("ssh-ed25519 AAAA", &key, &err), -1);
	assert_int_equal(host_key_parse("ssh-ed25519 !!!!", &key, &err), -1);
	/* an ecdsa name in front of an ed25519 blob */
	assert_int_equal(host_key_parse("ecdsa-sha2-nistp256 "
	                                "AAAAC3NzaC1lZDI1NTE5AAAAIHbFqEHh1ZkLXT2Z5XV0m2dOQ9a0k6fx"
	                                "hVhTQw4M5ygJ",
	                                &key, &err),
	                 -1);
}

/* Each example that a lab owner may start from. */
static void test_examples(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob(EXAMPLES "/*.json", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 4);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct err err;
		struct board_file *b = board_file_load(found.gl_pathv[i], &err);

		if (!b)
			fail_msg("%s", err.text);
		board_file_free(b);
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_paths_are_relative_to_the_file),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_builder),
		cmocka_unit_test(test_every_error_at_once),
		cmocka_unit_test(test_load_names_the_file),
		cmocka_unit_test(test_host_key),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
