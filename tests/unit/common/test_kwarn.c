#include "common/kwarn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	char kinds[128];
	char text[KWARN_TEXT + 1]; /* of the last one */
};

static void on_warn(void *arg, enum kwarn_kind kind, const char *text, size_t len)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->kinds);

	assert_int_equal(strlen(text), len);
	(void)snprintf(seen->kinds + used, sizeof(seen->kinds) - used, "%s%s", used ? " " : "",
	               kwarn_name(kind));
	assert_int_equal(text[len - 1], '\n');
	(void)snprintf(seen->text, sizeof(seen->text), "%.*s", (int)len - 1, text);
}

static void feed(struct kwarn *k, const char *log)
{
	while (*log) {
		size_t len = strcspn(log, "\n");
		char line[512];

		(void)snprintf(line, sizeof(line), "%.*s", (int)len, log);
		kwarn_line(k, line);
		log += len + (log[len] == '\n');
	}
}

/* The kinds that a log gives, and whether the text of the last begins and ends so. */
static void expect(const char *log, const char *kinds, const char *first, const char *last)
{
	static struct kwarn k;
	struct seen seen = {0};

	kwarn_init(&k, on_warn, &seen);
	feed(&k, log);
	kwarn_flush(&k);
	assert_false(kwarn_open(&k));
	assert_string_equal(seen.kinds, kinds);
	if (!first)
		return;
	assert_memory_equal(seen.text, first, strlen(first));
	assert_true(strlen(seen.text) > strlen(last));
	assert_string_equal(seen.text + strlen(seen.text) - strlen(last), last);
}

/* ARM926, 6.1: a NULL pointer in the kernel, and the panic behind it. */
static void an_arm_oops_and_its_panic(void **state)
{
	(void)state;
	expect("[   12.001000] random: crng init done\n"
	       "[   12.345678] 8<--- cut here ---\n"
	       "[   12.345700] Unable to handle kernel NULL pointer dereference at virtual address 00000000 when write\n"
	       "[   12.345800] [00000000] *pgd=00000000\n"
	       "[   12.345900] Internal error: Oops: 805 [#1] ARM\n"
	       "[   12.346000] Modules linked in:\n"
	       "[   12.346100] CPU: 0 PID: 77 Comm: sh Not tainted 6.1.192 #1\n"
	       "[   12.346200] PC is at sysrq_handle_crash+0xc/0x14\n"
	       "[   12.349000] Code: e3a02000 e3a03001 (e5c23000) e12fff1e\n"
	       "[   12.350000] ---[ end trace 0000000000000000 ]---\n"
	       "[   12.360000] Kernel panic - not syncing: Fatal exception\n"
	       "[   12.370000] ---[ end Kernel panic - not syncing: Fatal exception ]---\n"
	       "[   12.380000] something quite different\n",
	       "oops panic", "[   12.360000] Kernel panic", "Fatal exception ]---");
}

static void a_kernel_bug_on_arm_is_an_oops(void **state)
{
	(void)state;
	expect("[    3.000000] ------------[ cut here ]------------\n"
	       "[    3.000100] kernel BUG at mm/filemap.c:123!\n"
	       "[    3.000200] Internal error: Oops - BUG: 0 [#1] ARM\n"
	       "[    3.000300] ---[ end trace 0000000000000000 ]---\n",
	       "oops", "[    3.000000] ------------[ cut here",
	       "---[ end trace 0000000000000000 ]---");
	assert_true(kwarn_fatal(KWARN_OOPS) && kwarn_fatal(KWARN_PANIC) && !kwarn_fatal(KWARN_BUG));
}

static void warnings_one_behind_the_other(void **state)
{
	(void)state;
	expect("[   20.0] no stamp of the kernel's form\n"
	       "[   20.100000][   T12] ------------[ cut here ]------------\n"
	       "[   20.100001][   T12] WARNING: CPU: 0 PID: 12 at mm/page_alloc.c:4 __alloc_pages+0x1/0x2\n"
	       "[   20.100002][   T12] Modules linked in:\n"
	       "[   20.100003][   T12] ---[ end trace 0000000000000000 ]---\n"
	       "[   20.200000][   T12] ------------[ cut here ]------------\n"
	       "[   20.200001][   T12] WARNING: CPU: 0 PID: 12 at lib/refcount.c:25 refcount_warn_saturate+0x1/0x2\n"
	       "[   20.200002][   T12] refcount_t: addition on 0; use-after-free.\n",
	       "warning warning", "[   20.200000]", "use-after-free.");
}

/* No end marker: the block lasts until the log goes quiet, which the caller sees. */
static void lockdep(void **state)
{
	(void)state;
	expect("[  100.000000] ======================================================\n"
	       "[  100.000001] WARNING: possible circular locking dependency detected\n"
	       "[  100.000002] 6.1.192 #1 Not tainted\n"
	       "[  100.000003] ------------------------------------------------------\n"
	       "[  100.000004] sh/77 is trying to acquire lock:\n"
	       "[  100.000005] stack backtrace:\n"
	       "[  100.000006]  dump_stack_lvl from check_noncircular+0xe0/0x108\n",
	       "warning", "[  100.000001] WARNING: possible", "check_noncircular+0xe0/0x108");
}

static void stalls_and_hangs(void **state)
{
	(void)state;
	expect("[  242.1] x\n"
	       "[  242.000000] INFO: task dd:91 blocked for more than 120 seconds.\n"
	       "[  242.000001]       Not tainted 6.1.192 #1\n"
	       "[  242.000002] \"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.\n"
	       "[  242.000003] task:dd              state:D stack:0     pid:91\n",
	       "hung-task", "[  242.000000] INFO: task dd", "pid:91");
	expect("[   60.000000] rcu: INFO: rcu_sched self-detected stall on CPU\n"
	       "[   60.000001] rcu: \t0-....: (2099 ticks this GP) idle=6c4/1/0x40000002\n",
	       "rcu-stall", NULL, NULL);
	expect("[   60.000000] INFO: rcu_preempt detected stalls on CPUs/tasks:\n", "rcu-stall",
	       NULL, NULL);
	expect("[   60.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:77]\n",
	       "lockup", NULL, NULL);
}

static void memory_and_other_bugs(void **state)
{
	(void)state;
	expect("[   92.000000] dd invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0\n"
	       "[   92.000001] CPU: 0 PID: 127 Comm: dd Not tainted 6.1.192-cohort-v5 #1\n"
	       "[   92.000002] Out of memory: Killed process 127 (dd) total-vm:52000kB\n",
	       "oom", "[   92.000000] dd invoked", "total-vm:52000kB");
	expect("BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580\n",
	       "bug", NULL, NULL);
	expect("BUG: KASAN: use-after-free in flush_dcache_page+0x1/0x2\n", "bug", NULL, NULL);
	expect("BUG kmalloc-64 (Not tainted): Right Redzone overwritten\n", "bug", NULL, NULL);
	expect("BUG: kernel NULL pointer dereference, address: 0000000000000000\n", "oops", NULL,
	       NULL);
	expect("Oops: 0002 [#1] PREEMPT SMP\n", "oops", NULL, NULL);
	expect("irq 31: nobody cared (try booting with the \"irqpoll\" option)\n", "other", NULL,
	       NULL);
}

/* With user_debug= ARM prints this for a program that crashed: no oops of the kernel. */
static void a_programs_fault_on_arm_is_no_oops(void **state)
{
	(void)state;
	expect("[    9.000000] 8<--- cut here ---\n"
	       "[    9.000001] coherence: unhandled page fault (11) at 0x00000000, code 0x817\n",
	       "other", NULL, NULL);
}

static void ordinary_lines_are_none(void **state)
{
	static const char *const lines[] = {
		"[    0.000000] CPU: VIVT data cache, VIVT instruction cache",
		"[    5.000000] EXT4-fs warning (device vda): ext4_warn: WARNING: nothing",
		"[    1.000000] INFO: lockdep is turned off.",
		"[    1.000000] rcu: Hierarchical SRCU implementation.",
		"a program says BUG: here",
		"[   12.000000] sysrq: Show Blocked State",
		"---[ end trace 0000000000000000 ]---",
		"",
		"[",
		"[ 1.1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (kwarn_of_line(lines[i]) != KWARN_NONE)
			fail_msg("\"%s\" is %s", lines[i], kwarn_name(kwarn_of_line(lines[i])));
}

/* On a console programs print too. */
static void a_console_mixes_programs_and_kernel(void **state)
{
	(void)state;
	expect("[    1.000000] Run /init as init process\n"
	       "WARNING: your password will expire\n"
	       "BUG: says a test\n"
	       "login: [    9.000000] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x0/0x4\n"
	       "[    9.000001] ---[ end trace 0000000000000000 ]---\n",
	       "warning", "login: [    9.000000] WARNING", "]---");
	expect("<4>WARNING: CPU: 0 PID: 1 at a.c:1 f+0x0/0x4\n", "warning", NULL, NULL);
}

static void the_next_tests_mark_ends_a_block(void **state)
{
	(void)state;
	expect("[    1.000000] INFO: task dd:91 blocked for more than 120 seconds.\n"
	       "[    1.000001] task:dd\n"
	       "[    1.000002] cohort: begin 4 dio-read-anon\n"
	       "[    1.000003] innocent\n",
	       "hung-task", "[    1.000000] INFO", "task:dd");
}

/* A block is bounded in bytes and in lines, whatever the kernel prints. */
static void a_block_is_bounded(void **state)
{
	static struct kwarn k;
	struct seen seen = {0};
	char line[600];

	(void)state;
	(void)memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	kwarn_init(&k, on_warn, &seen);
	kwarn_line(&k, "WARNING: CPU: 0");
	for (int i = 0; i < 399; i++)
		kwarn_line(&k, line);
	assert_string_equal(seen.kinds, "");
	kwarn_line(&k, line);
	assert_string_equal(seen.kinds, "warning");
	assert_true(strlen(seen.text) <= KWARN_TEXT);
	assert_true(strlen(seen.text) > KWARN_TEXT - sizeof(line));
	assert_false(kwarn_open(&k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arm_oops_and_its_panic),
		cmocka_unit_test(a_kernel_bug_on_arm_is_an_oops),
		cmocka_unit_test(warnings_one_behind_the_other),
		cmocka_unit_test(lockdep),
		cmocka_unit_test(stalls_and_hangs),
		cmocka_unit_test(memory_and_other_bugs),
		cmocka_unit_test(a_programs_fault_on_arm_is_no_oops),
		cmocka_unit_test(ordinary_lines_are_none),
		cmocka_unit_test(a_console_mixes_programs_and_kernel),
		cmocka_unit_test(the_next_tests_mark_ends_a_block),
		cmocka_unit_test(a_block_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
