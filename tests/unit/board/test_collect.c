/* test_collect.c - files fetched from a builder that is a script: cut, too long, too short, wrong, and gone on with. */
#include "server/board/collect.h"

#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/board/attempt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/cohort-test-collect-XXXXXX";
static const char content[] = "what the kernel is made of";
static char sha[SHA256_HEX];

/* The fake builder: it has one text, and ends each transfer behind some bytes with an error, or at the end without. */
struct fake {
	struct remote remote;
	const char *text;
	size_t cut; /* bytes that one transfer gives; 0: all */
	enum err_kind kind;
	unsigned gets, drops;
	uint64_t offset; /* of the last one */
};

static struct remote_op *fake_get(struct remote *r, const struct remote_get *get)
{
	struct fake *f = (struct fake *)r;
	size_t len = strlen(f->text) - (size_t)get->offset;
	struct err err = {.kind = f->kind, .text = "cut"};

	assert_string_equal(get->path, "/b/zImage");
	f->gets++;
	f->offset = get->offset;
	if (f->cut > 0 && f->cut < len)
		len = f->cut;
	if (len > 0)
		get->data(get->arg, f->text + get->offset, len);
	get->done(get->arg, f->kind ? &err : NULL);
	return NULL;
}

static void fake_drop(struct remote *r, struct remote_op *op)
{
	(void)op;
	((struct fake *)r)->drops++;
}

static const struct remote_class fake_class = {.get = fake_get, .drop = fake_drop};

static void count_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)arg;
	assert_string_equal(what, "kernel");
	assert_true(done <= total);
}

static struct collect begin(struct fake *f)
{
	struct collect c;

	*f = (struct fake){.remote = {.class = &fake_class}, .text = content};
	collect_init(&c, &f->remote);
	c.progress = count_progress;
	return c;
}

static struct attempt_file wanted(void)
{
	static char path[] = "/b/zImage";
	struct attempt_file file = {.path = path, .size = (int64_t)strlen(content)};

	(void)memcpy(file.sha256, sha, sizeof(sha));
	return file;
}

static enum collect_result run(struct collect *c, const struct attempt_file *file)
{
	enum collect_result result = COLLECT_BUSY;

	for (int i = 0; i < 10 && result == COLLECT_BUSY; i++)
		result = collect_step(c, dir, "kernel", file);
	return result;
}

/* The text of DIR/files/SHA and what is behind it, or NULL. */
static char *kept(const char *suffix)
{
	SCOPED_STR path = xasprintf("%s/files/%s%s", dir, sha, suffix);

	return fs_read_file(path, 1000, NULL, NULL);
}

static void leave_part(const char *text)
{
	SCOPED_STR files = xasprintf("%s/files", dir);
	SCOPED_STR path = xasprintf("%s/%s.part", files, sha);

	assert_int_equal(fs_mkdirs(files, NULL), 0);
	assert_int_equal(fs_replace_file(path, text, strlen(text), 0640, NULL), 0);
}

static int clean(void **state)
{
	static const char *const suffixes[] = {"", ".part"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		SCOPED_STR path = xasprintf("%s/files/%s%s", dir, sha, suffixes[i]);

		(void)unlink(path);
	}
	return 0;
}

static void test_whole(void **state)
{
	struct fake f;
	struct collect c = begin(&f);
	struct attempt_file file = wanted();
	SCOPED_STR text = NULL;

	(void)state;
	assert_int_equal(run(&c, &file), COLLECT_HAVE);
	text = kept("");
	assert_string_equal(text, content);
	assert_null(kept(".part"));
	/* Behind a restart: the file is there, the event is not. */
	assert_int_equal(run(&c, &file), COLLECT_HAVE);
	assert_int_equal(f.gets, 1);
	collect_release(&c);
}

/* The session goes away at each byte: the next transfer begins there, in this process or in another one. */
static void test_cut_everywhere(void **state)
{
	for (size_t at = 1; at < strlen(content); at++) {
		struct fake f;
		struct collect c = begin(&f);
		struct attempt_file file = wanted();
		SCOPED_STR text = NULL;

		f.cut = at;
		f.kind = ERR_CLOSED;
		assert_int_equal(collect_step(&c, dir, "kernel", &file), COLLECT_BUSY);
		assert_int_equal(collect_step(&c, dir, "kernel", &file), COLLECT_BUSY);
		if (at % 2) {
			collect_release(&c);
			c = begin(&f);
		}
		f.kind = ERR_NONE;
		f.cut = 0;
		assert_int_equal(run(&c, &file), COLLECT_HAVE);
		assert_int_equal(f.offset, at);
		text = kept("");
		assert_string_equal(text, content);
		collect_release(&c);
		(void)clean(state);
	}
}

static void test_damaged_rest_is_fetched_anew(void **state)
{
	static const char *const rests[] = {"WHAT",
	                                    "what the kernel is made of, and much more of it"};

	for (size_t i = 0; i < 2; i++) {
		struct fake f;
		struct collect c = begin(&f);
		struct attempt_file file = wanted();
		SCOPED_STR text = NULL;

		leave_part(rests[i]);
		assert_int_equal(run(&c, &file), COLLECT_HAVE);
		assert_int_equal(f.offset, 0);
		text = kept("");
		assert_string_equal(text, content);
		collect_release(&c);
		(void)clean(state);
	}
}

static void test_lies(void **state)
{
	static const struct {
		const char *text, *complaint;
	} rows[] = {
		{"what the kernel is made of!", "longer than the 26 bytes"},
		{"what the kernel is made o", "ends behind 25 of the 26 bytes"},
		{"", "ends behind 0 of the 26 bytes"},
		{"WHAT the kernel is made of", "SHA-256 is"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake f;
		struct collect c = begin(&f);
		struct attempt_file file = wanted();

		f.text = rows[i].text;
		assert_int_equal(run(&c, &file), COLLECT_FAILED);
		if (!strstr(c.err.text, rows[i].complaint))
			fail_msg("%s: %s", rows[i].text, c.err.text);
		assert_int_equal(f.gets, 1);
		assert_null(kept(""));
		assert_null(kept(".part"));
		collect_release(&c);
		(void)clean(state);
	}
}

static void test_refused_three_times(void **state)
{
	struct fake f;
	struct collect c = begin(&f);
	struct attempt_file file = wanted();

	(void)state;
	f.kind = ERR_IO;
	f.cut = 3;
	assert_int_equal(run(&c, &file), COLLECT_FAILED);
	assert_int_equal(f.gets, 3);
	assert_int_equal(f.offset, 6);
	assert_string_equal(c.err.text, "kernel: cut");
	f.kind = ERR_TIMEOUT;
	assert_int_equal(run(&c, &file), COLLECT_FAILED);
	assert_int_equal(f.gets, 4);
	assert_int_equal(c.err.kind, ERR_TIMEOUT);
	collect_release(&c);
}

static void test_own_disk(void **state)
{
	struct fake f;
	struct collect c = begin(&f);
	struct attempt_file file = wanted();

	(void)state;
	assert_int_equal(collect_step(&c, "/proc/nowhere", "kernel", &file), COLLECT_FAILED);
	assert_non_null(strstr(c.err.text, "/proc/nowhere"));
	assert_int_equal(f.gets, 0);
	collect_release(&c);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	sha256_hex(content, strlen(content), sha);
	return 0;
}

static int teardown(void **state)
{
	SCOPED_STR files = xasprintf("%s/files", dir);

	(void)clean(state);
	(void)rmdir(files);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_whole, clean),
		cmocka_unit_test_teardown(test_cut_everywhere, clean),
		cmocka_unit_test_teardown(test_damaged_rest_is_fetched_anew, clean),
		cmocka_unit_test_teardown(test_lies, clean),
		cmocka_unit_test_teardown(test_refused_three_times, clean),
		cmocka_unit_test_teardown(test_own_disk, clean),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
