/* test_attempt.c - the attempt machine of docs/STATES.md: events in, next actions out, as tables. */
#include "server/board/attempt.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "server/board/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct planned plan[] = {
	{.id = 0, .name = "a"}, {.id = 1, .name = "b"}, {.id = 2, .name = "c"}};
static const struct request request = {.tests = plan, .count = 3};
static const struct request building = {.tests = plan, .count = 3, .builds = true};

/* An attempt that took these events, one a line. */
static struct attempt after_of(const struct request *wanted, const char *events)
{
	struct attempt a;
	struct err err = {0};

	attempt_init(&a, wanted);
	for (const char *at = events; *at;) {
		size_t len = strcspn(at, "\n");
		SCOPED_JSON event = jx_parse(at, len, 65536, &err);

		if (!event || attempt_apply(&a, event, &err) < 0)
			fail_msg("%.*s: %s", (int)len, at, err.text);
		at += len + (at[len] == '\n');
	}
	return a;
}

static struct attempt after(const char *events)
{
	return after_of(&request, events);
}

static int refused(struct attempt *a, const char *text)
{
	struct attempt before = *a;
	struct err err = {0};
	SCOPED_JSON event = jx_parse(text, strlen(text), 65536, &err);
	int rc = attempt_apply(a, event, &err);

	if (rc < 0)
		assert_memory_equal(&before, a, sizeof(before));
	return rc < 0;
}

#define PROVED_X     "{\"ev\":\"proved\",\"boot_id\":\"x\"}\n"
#define AT(stage)    "{\"ev\":\"stage\",\"t\":5,\"stage\":\"" stage "\"}\n"
#define LEG(n, boot) "{\"ev\":\"leg\",\"leg\":" #n ",\"boot_id\":\"" boot "\"}\n"
#define BEGUN(id)    "{\"ev\":\"test-started\",\"id\":" #id "}\n"
#define DONE(id)     "{\"ev\":\"test-finished\",\"id\":" #id "}\n"
#define OOPS         "{\"ev\":\"kernel-warning\",\"kind\":\"oops\"}\n"
#define TESTING      AT("test") PROVED_X LEG(1, "x")

/* A world in which the session is up, ready and proved on boot x. */
#define UP   .link_up = true, .ready = true, .proved = true, .boot_id = "x"
#define UP_Y .link_up = true, .ready = true, .proved = true, .boot_id = "y"

struct row {
	const char *what, *events;
	struct world world;
	enum act act;
	enum stage stage;
	const char *fault, *outcome;
};

static void check_rows(const struct request *wanted, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct attempt a = after_of(wanted, rows[i].events);
		struct action got = attempt_next(&a, &rows[i].world);

		if (got.act != rows[i].act || got.stage != rows[i].stage)
			fail_msg("%s: action %d stage %d fault %s", rows[i].what, (int)got.act,
			         (int)got.stage, got.fault ? got.fault : "none");
		if (rows[i].fault && (!got.fault || strcmp(got.fault, rows[i].fault) != 0))
			fail_msg("%s: fault %s", rows[i].what, got.fault ? got.fault : "none");
		if (rows[i].outcome && strcmp(got.outcome, rows[i].outcome) != 0)
			fail_msg("%s: outcome %s", rows[i].what, got.outcome);
		attempt_release(&a);
	}
}

#define CHECK(rows)       check_rows(&request, rows, sizeof(rows) / sizeof(*(rows)))
#define CHECK_BUILD(rows) check_rows(&building, rows, sizeof(rows) / sizeof(*(rows)))

static void test_before_the_tests(void **state)
{
	static const struct row rows[] = {
		{"a board that runs", "", {0}, ACT_STAGE, STAGE_PROVISION, NULL, NULL},
		{"a board that we boot", "", {.boots = true}, ACT_STAGE, STAGE_BOOT, NULL, NULL},
		{"boot", AT("boot"), {.boots = true}, ACT_BOOT, 0, NULL, NULL},
		{"booted", AT("boot"), {.boots = true, .booted = true}, ACT_LINK, 0, NULL, NULL},
		{"up",
	         AT("boot"),
	         {.boots = true, .booted = true, UP},
	         ACT_STAGE,
	         STAGE_PROVISION,
	         NULL,
	         NULL},
		{"no link", AT("provision"), {0}, ACT_LINK, 0, NULL, NULL},
		{"no link in time",
	         AT("provision"),
	         {.late = true},
	         ACT_END,
	         0,
	         "ssh-connect",
	         "fault"},
		{"no boot in time",
	         AT("provision"),
	         {.boots = true, .late = true},
	         ACT_END,
	         0,
	         "boot-timeout",
	         NULL},
		{"off",
	         AT("boot"),
	         {.boots = true, .booted = true, .machine = MACHINE_OFF},
	         ACT_END,
	         0,
	         "power-lost",
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_proof(void **state)
{
	static const struct row rows[] = {
		{"files", AT("provision"), {.link_up = true}, ACT_READY, 0, NULL, NULL},
		{"files are there", AT("provision"), {UP}, ACT_STAGE, STAGE_PROVE, NULL, NULL},
		{"good proof", AT("prove"), {UP}, ACT_PROVED, 0, NULL, NULL},
		{"proved", AT("prove") PROVED_X, {UP}, ACT_STAGE, STAGE_TEST, NULL, NULL},
		{"bad proof",
	         AT("prove"),
	         {.link_up = true, .ready = true, .proof_code = "wrong-release"},
	         ACT_END,
	         0,
	         "wrong-release",
	         NULL},
		{"fault", AT("prove"), {UP, .fault = "disk-full"}, ACT_END, 0, "disk-full", NULL},
		{"cancelled", AT("provision"), {.cancel = true}, ACT_END, 0, NULL, "cancelled"},
		{"ended",
	         AT("prove") "{\"ev\":\"ended\",\"outcome\":\"fault\"}",
	         {UP},
	         ACT_WAIT,
	         0,
	         NULL,
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_legs(void **state)
{
	static const struct row rows[] = {
		{"first leg", AT("test") PROVED_X, {UP}, ACT_LEG, 0, NULL, NULL},
		{"first leg, rebooted before",
	         AT("test") PROVED_X,
	         {UP_Y},
	         ACT_PROVED,
	         0,
	         NULL,
	         NULL},
		{"run", TESTING, {UP}, ACT_RUN, 0, NULL, NULL},
		{"followed",
	         TESTING BEGUN(0),
	         {UP, .worker = WORKER_FOLLOWED},
	         ACT_WAIT,
	         0,
	         NULL,
	         NULL},
		{"follow again",
	         TESTING "{\"ev\":\"test-started\",\"id\":0,\"leg\":1,\"off\":10}",
	         {UP},
	         ACT_FOLLOW,
	         0,
	         NULL,
	         NULL},
		{"read what a dead kernel left", TESTING, {UP_Y}, ACT_FOLLOW, 0, NULL, NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_agent_died(void **state)
{
	static const struct row rows[] = {
		{"agent died in no test",
	         TESTING,
	         {UP, .worker = WORKER_GONE},
	         ACT_LEG,
	         0,
	         NULL,
	         NULL},
		{"three legs without a test",
	         TESTING LEG(2, "x") LEG(3, "x"),
	         {UP, .worker = WORKER_GONE},
	         ACT_END,
	         0,
	         "agent-died",
	         NULL},
		{"agent died in a test",
	         TESTING BEGUN(0),
	         {UP, .worker = WORKER_GONE},
	         ACT_LEG,
	         0,
	         NULL,
	         NULL},
		{"for the third time",
	         TESTING BEGUN(0) LEG(2, "x") BEGUN(0) LEG(3, "x") BEGUN(0),
	         {UP, .worker = WORKER_GONE},
	         ACT_DIED,
	         0,
	         NULL,
	         NULL},
		{"in three tests",
	         TESTING BEGUN(0) LEG(2, "x") BEGUN(0) DONE(0) BEGUN(1) LEG(3, "x") BEGUN(1),
	         {UP, .worker = WORKER_GONE},
	         ACT_LEG,
	         0,
	         NULL,
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_end_of_the_leg(void **state)
{
	static const struct row rows[] = {
		{"all done",
	         TESTING DONE(0) DONE(1) DONE(2),
	         {UP, .worker = WORKER_COMPLETE},
	         ACT_STAGE,
	         STAGE_COLLECT,
	         NULL,
	         NULL},
		{"all done, its last words to come",
	         TESTING DONE(0) DONE(1) DONE(2),
	         {UP, .worker = WORKER_FOLLOWED},
	         ACT_WAIT,
	         0,
	         NULL,
	         NULL},
		{"all done, board gone",
	         TESTING DONE(0) DONE(1) DONE(2),
	         {0},
	         ACT_STAGE,
	         STAGE_COLLECT,
	         NULL,
	         NULL},
		{"collected",
	         TESTING DONE(0) DONE(1) DONE(2) AT("collect"),
	         {0},
	         ACT_END,
	         0,
	         NULL,
	         "complete"},
		{"complete with a hole",
	         TESTING DONE(0) DONE(2),
	         {UP, .worker = WORKER_COMPLETE},
	         ACT_END,
	         0,
	         "agent-protocol",
	         NULL},
		{"agent's own error",
	         TESTING,
	         {UP, .worker = WORKER_ERROR},
	         ACT_END,
	         0,
	         "agent-failed",
	         NULL},
		{"ended by a stranger",
	         TESTING,
	         {UP, .worker = WORKER_CANCELLED},
	         ACT_END,
	         0,
	         "agent-failed",
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_who_is_to_blame(void **state)
{
	static const struct row rows[] = {
		{"away", TESTING BEGUN(1), {0}, ACT_LINK, 0, NULL, NULL},
		{"silence without a cause",
	         TESTING BEGUN(1),
	         {.late = true},
	         ACT_END,
	         0,
	         "board-lost",
	         NULL},
		{"silence, and a switch",
	         TESTING BEGUN(1),
	         {.late = true, .can_restart = true},
	         ACT_END,
	         0,
	         "board-lost",
	         NULL},
		{"switched off",
	         TESTING BEGUN(1),
	         {.machine = MACHINE_OFF, .can_restart = true},
	         ACT_END,
	         0,
	         "power-lost",
	         NULL},
		{"oops, then off",
	         TESTING BEGUN(1) OOPS,
	         {.machine = MACHINE_OFF, .can_restart = true},
	         ACT_RESTART,
	         0,
	         NULL,
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_oops(void **state)
{
	static const struct row rows[] = {
		{"oops, wait for the reboot",
	         TESTING BEGUN(1) OOPS,
	         {.can_restart = true},
	         ACT_LINK,
	         0,
	         NULL,
	         NULL},
		{"oops, no reboot",
	         TESTING BEGUN(1) OOPS,
	         {.late = true, .can_restart = true},
	         ACT_RESTART,
	         0,
	         NULL,
	         NULL},
		{"oops, no switch",
	         TESTING BEGUN(1) OOPS,
	         {.late = true},
	         ACT_CRASHED,
	         0,
	         NULL,
	         NULL},
		{"oops, restart did not help",
	         TESTING BEGUN(1) OOPS,
	         {.late = true, .can_restart = true, .restarted = true},
	         ACT_CRASHED,
	         0,
	         NULL,
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_rebooted(void **state)
{
	static const struct row rows[] = {
		{"rebooted in a test",
	         TESTING BEGUN(1),
	         {UP_Y, .worker = WORKER_GONE},
	         ACT_CRASHED,
	         0,
	         NULL,
	         NULL},
		{"rebooted between tests",
	         TESTING DONE(1),
	         {UP_Y, .worker = WORKER_GONE},
	         ACT_PROVED,
	         0,
	         NULL,
	         NULL},
		{"and proved",
	         TESTING DONE(1) "{\"ev\":\"proved\",\"boot_id\":\"y\"}",
	         {UP_Y, .worker = WORKER_GONE},
	         ACT_LEG,
	         0,
	         NULL,
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_another_kernel(void **state)
{
	static const struct row rows[] = {
		{"came back with another kernel",
	         TESTING DONE(1),
	         {.link_up = true,
	          .ready = true,
	          .boot_id = "y",
	          .proof_code = "wrong-release",
	          .worker = WORKER_GONE},
	         ACT_END,
	         0,
	         "wrong-release",
	         NULL},
		{"and we can boot",
	         TESTING DONE(1),
	         {.boots = true,
	          .link_up = true,
	          .ready = true,
	          .boot_id = "y",
	          .proof_code = "wrong-release",
	          .worker = WORKER_GONE},
	         ACT_BOOT,
	         0,
	         NULL,
	         NULL},
		{"but did already",
	         TESTING DONE(1),
	         {.boots = true,
	          .booted = true,
	          .link_up = true,
	          .ready = true,
	          .boot_id = "y",
	          .proof_code = "wrong-release",
	          .worker = WORKER_GONE},
	         ACT_END,
	         0,
	         "wrong-release",
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

static void test_stopping(void **state)
{
	static const struct row rows[] = {
		{"before the first leg",
	         AT("test"),
	         {UP, .cancel = true},
	         ACT_END,
	         0,
	         NULL,
	         "cancelled"},
		{"ask",
	         TESTING,
	         {UP, .cancel = true, .worker = WORKER_FOLLOWED},
	         ACT_CANCEL,
	         0,
	         NULL,
	         NULL},
		{"asked",
	         TESTING,
	         {UP, .cancel = true, .cancel_sent = true, .worker = WORKER_FOLLOWED},
	         ACT_WAIT,
	         0,
	         NULL,
	         NULL},
		{"it ended",
	         TESTING,
	         {UP, .cancel = true, .worker = WORKER_CANCELLED},
	         ACT_END,
	         0,
	         NULL,
	         "cancelled"},
		{"it does not end",
	         TESTING,
	         {UP, .cancel = true, .cancel_late = true, .worker = WORKER_FOLLOWED},
	         ACT_END,
	         0,
	         NULL,
	         "cancelled"},
	};

	(void)state;
	CHECK(rows);
}

static void test_stopping_from_afar(void **state)
{
	static const struct row rows[] = {
		{"away", TESTING, {.cancel = true}, ACT_LINK, 0, NULL, NULL},
		{"away for long",
	         TESTING,
	         {.cancel = true, .late = true},
	         ACT_END,
	         0,
	         NULL,
	         "cancelled"},
		{"time is over: ask",
	         TESTING,
	         {UP, .run_late = true, .worker = WORKER_FOLLOWED},
	         ACT_CANCEL,
	         0,
	         NULL,
	         NULL},
		{"time is over",
	         TESTING,
	         {UP, .run_late = true, .worker = WORKER_CANCELLED},
	         ACT_END,
	         0,
	         "run-timeout",
	         NULL},
		{"too late to cancel",
	         TESTING DONE(0) DONE(1) DONE(2),
	         {UP, .cancel = true, .worker = WORKER_FOLLOWED},
	         ACT_STAGE,
	         STAGE_COLLECT,
	         NULL,
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

/* The agent ended its leg because the kernel had an oops that it outlived. */
static void test_fresh_boot(void **state)
{
	static const char behind_oops[] = TESTING BEGUN(0) OOPS DONE(0);
	const struct row rows[] = {
		{"boot it",
	         behind_oops,
	         {UP, .worker = WORKER_STOPPED, .boots = true, .can_restart = true},
	         ACT_BOOT,
	         0,
	         NULL,
	         NULL},
		{"it boots",
	         behind_oops,
	         {.worker = WORKER_STOPPED, .boots = true, .can_restart = true, .booting = true},
	         ACT_BOOT,
	         0,
	         NULL,
	         NULL},
		{"cycle its power",
	         behind_oops,
	         {UP, .worker = WORKER_STOPPED, .can_restart = true},
	         ACT_RESTART,
	         0,
	         NULL,
	         NULL},
		{"it is back",
	         behind_oops,
	         {UP_Y, .worker = WORKER_STOPPED, .can_restart = true, .restarted = true},
	         ACT_PROVED,
	         0,
	         NULL,
	         NULL},
		{"nobody asked it to stop",
	         behind_oops,
	         {UP, .worker = WORKER_STOPPED},
	         ACT_END,
	         0,
	         "agent-protocol",
	         NULL},
	};

	(void)state;
	CHECK(rows);
}

/* What one who lies may send. */
static void test_refused_events(void **state)
{
	struct attempt a = after(TESTING BEGUN(0) DONE(0));

	(void)state;
	assert_true(refused(&a, DONE(0)));
	assert_true(refused(&a, BEGUN(0)));
	assert_true(refused(&a, DONE(7)));
	assert_true(refused(&a, "{\"ev\":\"test-record\",\"id\":7}"));
	assert_true(refused(&a, LEG(3, "x")));
	assert_true(refused(&a, AT("dance")));
	assert_true(refused(&a, "{\"ev\":\"surprise\"}"));
	assert_true(refused(&a, "{}"));
	assert_false(refused(&a, "{\"ev\":\"ended\",\"outcome\":\"complete\"}"));
	assert_true(refused(&a, "{\"ev\":\"note\"}"));
	attempt_release(&a);
}

static void test_offsets(void **state)
{
	struct attempt a = after(
		TESTING
		"{\"ev\":\"test-started\",\"id\":0,\"leg\":1,\"off\":100}\n"
		"{\"ev\":\"kernel-warning\",\"kind\":\"warning\",\"source\":\"console\",\"leg\":1}");

	(void)state;
	assert_int_equal(a.off, 100);
	attempt_release(&a);
	a = after(TESTING "{\"ev\":\"test-started\",\"id\":0,\"leg\":1,\"off\":100}\n" LEG(2, "x"));
	assert_int_equal(a.off, 0);
	assert_int_equal(a.tests[0].deaths, 1);
	assert_int_equal(a.current, -1);
	attempt_release(&a);
}

/* A crash in one test is not one in the next. */
static void test_crash_belongs_to_its_test(void **state)
{
	struct attempt a = after(TESTING BEGUN(0) OOPS);

	(void)state;
	assert_true(a.crashed);
	attempt_release(&a);
	a = after(TESTING BEGUN(0) OOPS DONE(0) BEGUN(1));
	assert_false(a.crashed);
	attempt_release(&a);
	a = after(TESTING OOPS BEGUN(0));
	assert_false(a.crashed);
	attempt_release(&a);
}

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SAID(id, role)                                                                             \
	"{\"ev\":\"test-record\",\"id\":" #id ",\"record\":{\"type\":\"file\",\"role\":\"" role    \
	"\",\"path\":\"/b/" role "\",\"sha256\":\"" SHA "\",\"size\":7}}\n"
#define HAVE(role, size)                                                                           \
	"{\"ev\":\"file\",\"role\":\"" role "\",\"sha256\":\"" SHA "\",\"size\":" #size "}\n"
#define BUILT                                                                                      \
	TESTING BEGUN(0) SAID(0, "kernel") SAID(0, "log") DONE(0) DONE(1) DONE(2) AT("collect")

static void test_collecting(void **state)
{
	static const struct row rows[] = {
		{"the first file", BUILT, {UP}, ACT_COLLECT, 0, NULL, NULL},
		{"the next one", BUILT HAVE("kernel", 7), {UP}, ACT_COLLECT, 0, NULL, NULL},
		{"all of them",
	         BUILT HAVE("log", 7) HAVE("kernel", 7),
	         {UP},
	         ACT_END,
	         0,
	         NULL,
	         "complete"},
		{"all of them, and the link is gone",
	         BUILT HAVE("log", 7) HAVE("kernel", 7),
	         {0},
	         ACT_END,
	         0,
	         NULL,
	         "complete"},
		{"no link", BUILT, {0}, ACT_LINK, 0, NULL, NULL},
		{"no link in time", BUILT, {.late = true}, ACT_END, 0, "board-lost", "fault"},
		{"off", BUILT, {.machine = MACHINE_OFF}, ACT_END, 0, "power-lost", "fault"},
		{"cancelled", BUILT, {.cancel = true, UP}, ACT_END, 0, NULL, "cancelled"},
		{"too late", BUILT, {.run_late = true, UP}, ACT_END, 0, "run-timeout", "fault"},
	};

	(void)state;
	CHECK_BUILD(rows);
}

/* A builder's own mishaps say nothing about the kernel that it makes: the step is run again. */
static void test_builder_goes_down(void **state)
{
	static const struct row rows[] = {
		{"rebooted in a step",
	         TESTING BEGUN(0) PROVED_X,
	         {.worker = WORKER_GONE, UP_Y},
	         ACT_PROVED,
	         0,
	         NULL,
	         NULL},
		{"rebooted in it for the third time",
	         TESTING BEGUN(0) LEG(2, "y") BEGUN(0) LEG(3, "z") BEGUN(0),
	         {.worker = WORKER_GONE, UP},
	         ACT_DIED,
	         0,
	         NULL,
	         NULL},
		{"silent behind an oops",
	         TESTING BEGUN(0) OOPS,
	         {.late = true},
	         ACT_END,
	         0,
	         "board-lost",
	         "fault"},
	};

	(void)state;
	CHECK_BUILD(rows);
}

static void test_files_that_are_refused(void **state)
{
	static const char *const lines[] = {
		SAID(1, "kernel"),    /* a second one of that role */
		SAID(2, "dtb"),       /* of a step that is finished */
		SAID(1, "passwords"), /* no such role */
		HAVE("kernel", 8),    /* not what was said */
		HAVE("dtb", 7),       /* nobody said it */
		HAVE("log", 7),       /* it is there already */
		HAVE("passwords", 7), /* no such role */
		"{\"ev\":\"file\"}",
	};
	struct attempt a = after_of(&building, TESTING DONE(2) BEGUN(1) SAID(1, "kernel")
	                                               SAID(1, "log") HAVE("log", 7));

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (!refused(&a, lines[i]))
			fail_msg("taken: %s", lines[i]);
	attempt_release(&a);
	/* A run of tests brings no files. */
	a = after(TESTING BEGUN(0));
	assert_true(refused(&a, SAID(0, "kernel")));
	assert_true(
		refused(&a, "{\"ev\":\"test-record\",\"id\":0,\"record\":{\"type\":\"build\"}}"));
	attempt_release(&a);
}

/* What a step said before it was cut off is forgotten when it runs again, and only that. */
static void test_files_said_again(void **state)
{
	struct attempt a = after_of(&building, TESTING BEGUN(0) SAID(0, "log") DONE(0) BEGUN(1)
	                                               SAID(1, "kernel") LEG(2, "x") BEGUN(1));

	(void)state;
	assert_non_null(a.files[ROLE_LOG].path);
	assert_null(a.files[ROLE_KERNEL].path);
	assert_int_equal(attempt_wanted(&a), ROLE_LOG);
	attempt_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_the_tests),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_legs),
		cmocka_unit_test(test_agent_died),
		cmocka_unit_test(test_end_of_the_leg),
		cmocka_unit_test(test_who_is_to_blame),
		cmocka_unit_test(test_oops),
		cmocka_unit_test(test_rebooted),
		cmocka_unit_test(test_another_kernel),
		cmocka_unit_test(test_stopping),
		cmocka_unit_test(test_stopping_from_afar),
		cmocka_unit_test(test_fresh_boot),
		cmocka_unit_test(test_refused_events),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_crash_belongs_to_its_test),
		cmocka_unit_test(test_collecting),
		cmocka_unit_test(test_builder_goes_down),
		cmocka_unit_test(test_files_that_are_refused),
		cmocka_unit_test(test_files_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
