/* test_prepare.c - the commands that make a board ready, against a board that is a script of answers. */
#include "server/board/prepare.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/board/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define AGENT_LINE A "  /r/files/" A "\n"
#define PROG_LINE  B "  /r/files/" B "\n"
#define AGENT_TMP  A "  /r/files/" A ".tmp\n"
#define PROG_TMP   B "  /r/files/" B ".tmp\n"
#define FACTS      "{\"boot_id\":\"x\",\"release\":\"r\"}\n"

/* The fake board: what it was asked last, and the answer that it gives at once. */
struct fake {
	struct remote remote;
	char *command, *path;
	const char *out;
	int status;
	enum err_kind put_error;
	unsigned commands, puts;
};

static struct remote_op *fake_exec(struct remote *r, const struct remote_exec *exec)
{
	struct fake *f = (struct fake *)r;

	free(f->command);
	f->command = xstrdup(exec->command);
	f->commands++;
	exec->out(exec->arg, f->out, strlen(f->out));
	exec->done(exec->arg, f->status, "", NULL);
	return NULL;
}

static struct remote_op *fake_put(struct remote *r, const struct remote_put *put)
{
	struct fake *f = (struct fake *)r;
	struct err err = {.kind = f->put_error, .text = "refused"};

	free(f->path);
	f->path = xstrdup(put->path);
	f->puts++;
	put->done(put->arg, f->put_error ? &err : NULL);
	return NULL;
}

static void fake_drop(struct remote *r, struct remote_op *op)
{
	(void)r;
	(void)op;
}

static const struct remote_class fake_class = {
	.exec = fake_exec, .put = fake_put, .drop = fake_drop};

static const struct request request = {
	.run = 5,
	.attempt = 2,
	.files = {{.name = "agent", .path = "/l/agent", .sha256 = A, .size = 1000},
                  {.name = "prog", .path = "/l/prog", .sha256 = B, .size = 2000}},
	.file_count = 2,
};

static void ignore_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)what;
	(void)done;
	(void)total;
}

static struct prepare begin(struct fake *f)
{
	struct prepare p;

	*f = (struct fake){.remote = {.class = &fake_class, .state = REMOTE_UP, .session = 1},
	                   .out = ""};
	prepare_init(&p, &f->remote, "/r");
	p.progress = ignore_progress;
	return p;
}

static void end(struct prepare *p, struct fake *f)
{
	prepare_release(p);
	free(f->command);
	free(f->path);
}

/* One step: the answer to the command that this step gives. */
static enum prepare_result step(struct prepare *p, struct fake *f, const char *out, int status)
{
	f->out = out;
	f->status = status;
	return prepare_step(p, &request);
}

static void test_all_there(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);

	(void)state;
	assert_int_equal(step(&p, &f, AGENT_LINE PROG_LINE FACTS, 0), PREPARE_BUSY);
	assert_non_null(strstr(f.command, "mkdir -p /r/files /r/runs"));
	assert_non_null(strstr(f.command, "/r/files/" A " sha256 /r/files/" A " /r/files/" B));
	assert_non_null(strstr(f.command, "5.2.*)")); /* this attempt's legs are left alone */
	assert_int_equal(step(&p, &f, "", 0), PREPARE_READY);
	assert_int_equal(f.puts, 0);
	/* Warm: nothing is asked. */
	assert_int_equal(step(&p, &f, "", 0), PREPARE_READY);
	assert_int_equal(f.commands, 1);
	/* Another session may be another kernel. */
	f.remote.session = 2;
	assert_int_equal(step(&p, &f, AGENT_LINE PROG_LINE FACTS, 0), PREPARE_BUSY);
	assert_int_equal(f.commands, 2);
	end(&p, &f);
}

static void test_empty_board(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);

	(void)state;
	assert_int_equal(step(&p, &f, "", 76), PREPARE_BUSY);
	assert_int_equal(step(&p, &f, "", 0), PREPARE_BUSY);
	assert_string_equal(f.path, "/r/files/" A ".tmp");
	assert_int_equal(step(&p, &f, "", 0), PREPARE_BUSY);
	assert_string_equal(f.path, "/r/files/" B ".tmp");
	assert_int_equal(step(&p, &f, AGENT_TMP PROG_TMP, 0), PREPARE_BUSY);
	assert_non_null(strstr(f.command,
	                       "/r/files/" A ".tmp sha256 /r/files/" A ".tmp /r/files/" B ".tmp"));
	assert_int_equal(step(&p, &f, FACTS, 0), PREPARE_BUSY);
	assert_non_null(strstr(f.command, "mv -f /r/files/" B ".tmp /r/files/" B));
	assert_int_equal(step(&p, &f, "", 0), PREPARE_READY);
	end(&p, &f);
}

static void test_only_what_is_missing(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);

	(void)state;
	(void)step(&p, &f, AGENT_LINE "-  /r/files/" B "\n" FACTS, 0);
	(void)step(&p, &f, "", 0);
	assert_string_equal(f.path, "/r/files/" B ".tmp");
	assert_int_equal(f.puts, 1);
	end(&p, &f);
}

/* Bytes that change on the way are sent once more, then it is a fault. */
static void test_damaged_on_the_way(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);
	enum prepare_result result = PREPARE_BUSY;

	(void)state;
	f.out = "";
	for (int i = 0; i < 30 && result == PREPARE_BUSY; i++)
		result = step(&p, &f, "", 0);
	assert_int_equal(result, PREPARE_FAILED);
	assert_string_equal(p.fault, "provision-failed");
	assert_int_equal(f.puts, 4);
	end(&p, &f);
}

static void test_disk_full(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);

	(void)state;
	f.put_error = ERR_IO;
	(void)step(&p, &f, "", 76);
	(void)step(&p, &f, "", 0);
	(void)step(
		&p, &f,
		"Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/x 100 100 0 100% /\n",
		0);
	assert_non_null(strstr(f.command, "df -Pk /r/files"));
	assert_int_equal(step(&p, &f, "", 0), PREPARE_FAILED);
	assert_string_equal(p.fault, "disk-full");
	end(&p, &f);
}

static void test_put_refused(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);

	(void)state;
	f.put_error = ERR_IO;
	(void)step(&p, &f, "", 76);
	(void)step(&p, &f, "", 0);
	(void)step(
		&p, &f,
		"Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/x 100 0 90000 0% /\n",
		0);
	assert_int_equal(step(&p, &f, "", 0), PREPARE_FAILED);
	assert_string_equal(p.fault, "provision-failed");
	end(&p, &f);
}

/* A suite may have one program under two names. */
static void test_same_file_twice(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);
	struct request twice = request;

	(void)state;
	twice.files[2] =
		(struct wire_file){.name = "alias", .path = "/l/alias", .sha256 = B, .size = 2000};
	twice.file_count = 3;
	f.out = AGENT_LINE FACTS;
	assert_int_equal(prepare_step(&p, &twice), PREPARE_BUSY);
	for (int i = 0; i < 3 && !strstr(f.command, "mv -f"); i++) {
		f.out = PROG_TMP FACTS;
		assert_int_equal(prepare_step(&p, &twice), PREPARE_BUSY);
	}
	assert_int_equal(f.puts, 1);
	assert_non_null(strstr(f.command, "mv -f"));
	assert_null(strstr(strstr(f.command, "mv -f") + 1, "mv -f"));
	assert_int_equal(prepare_step(&p, &twice), PREPARE_READY);
	end(&p, &f);
}

static void test_no_facts(void **state)
{
	struct fake f;
	struct prepare p = begin(&f);

	(void)state;
	(void)step(&p, &f, AGENT_LINE PROG_LINE "{\"boot_id\":7}\n", 0);
	assert_int_equal(step(&p, &f, "", 0), PREPARE_FAILED);
	assert_string_equal(p.fault, "agent-failed");
	end(&p, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_there),
		cmocka_unit_test(test_empty_board),
		cmocka_unit_test(test_only_what_is_missing),
		cmocka_unit_test(test_damaged_on_the_way),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_put_refused),
		cmocka_unit_test(test_same_file_twice),
		cmocka_unit_test(test_no_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
