/* Any words as code, in any mode: the core may stop by name, but stays a core. With the sanitizers this looks for what random
 * blocks beside another processor cannot have: privileged, undefined and unpredictable encodings. */
#include "rig.h"

#define CODE_WORDS 4096u
#define RUNS       1500u
#define LENGTH     120u /* instructions of a run, at most */

static uint64_t next(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random >> 16;
}

/* Most words are executed always; some are system instructions or of condition 15. */
static uint32_t word(uint64_t *random)
{
	uint32_t any = (uint32_t)next(random);

	switch (next(random) % 32) {
	case 0: /* MCR, MRC of c0 to c7 */
		return (any & 0x0017f0ff) | 0xee000f10;
	case 1:
	case 4:
	case 5:
		return any | 0xf0000000;
	case 2:
	case 3:
		return any;
	default:
		return (any & 0x0fffffff) | 0xe0000000;
	}
}

static void expect_core(const struct rig *rig)
{
	const struct cpu *cpu = &rig->cpu;
	uint32_t mode = cpu->cpsr & 0x1f;

	assert_true(mode == MODE_USR || mode == MODE_FIQ || mode == MODE_IRQ || mode == MODE_SVC ||
	            mode == MODE_ABT || mode == MODE_UND || mode == MODE_SYS);
	assert_int_equal(cpu->user_shift, mode == MODE_USR ? 2 : 0);
	assert_int_equal(cpu->pc & (cpu->cpsr & PSR_T ? 1 : 3), 0);
}

static void run_wild(enum cpu_model model, uint64_t seed)
{
	static const uint32_t modes[] = {MODE_USR, MODE_FIQ, MODE_IRQ, MODE_SVC, MODE_SYS};
	uint64_t random = seed * 0x9e3779b97f4a7c15u;
	struct rig rig;
	unsigned stopped = 0, aborted = 0;

	print_message("%s, seed %ju\n", cpu_model_name(model), (uintmax_t)seed);
	rig_begin_core(&rig, model, seed & 1);
	for (unsigned run = 0; run < RUNS; run++) {
		struct cpu *cpu = &rig.cpu;
		enum exec how;

		for (unsigned n = 0; run % 50 == 0 && n < CODE_WORDS; n++)
			poke(&rig, 4 * n, word(&random));
		if (run % 10 == 0) { /* what it did to the MMU stays for some runs */
			cpu_init(cpu, &rig.mem, model);
			mmu_set_control(&rig.mem.mmu,
			                0x00050078 | (run & 16 ? SCTLR_A : 0) |
			                        (cpu->v6 && (run & 32) ? SCTLR_U : 0));
		}
		mem_fetch_forget(&rig.mem);
		assert_true(cpu_set_cpsr(cpu, modes[next(&random) % 5] |
		                                      ((uint32_t)next(&random) & 0xf80f00e0)));
		for (unsigned r = 0; r < 15; r++)
			cpu->r[r] = (uint32_t)next(&random) & (run & 1 ? 0x1fffff : 0xffffffff);
		cpu->pc = (uint32_t)next(&random) % (4 * CODE_WORDS) & ~3u;
		cpu_set_line(cpu, CPU_IRQ, next(&random) % 8 == 0);
		cpu->run_until = cpu->count + LENGTH;
		how = cpu_run(cpu);
		assert_true(how == EXEC_OK || how == EXEC_HALT || how == EXEC_STOP);
		stopped += how == EXEC_STOP;
		aborted += rig.mem.far != 0;
		rig.mem.far = 0;
		if (how == EXEC_STOP)
			assert_true(cpu->stop_text[0] != '\0');
		expect_core(&rig);
	}
	print_message("%u of %u runs stopped, %u aborted\n", stopped, RUNS, aborted);
	assert_in_range(stopped, 1, RUNS / 2);
	assert_in_range(aborted, 1, RUNS);
	rig_end(&rig);
}

static void test_wild_code(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		run_wild(CPU_ARM926, seed);
		run_wild(CPU_ARM1136, seed);
		run_wild(CPU_ARM1176, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_wild_code)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
