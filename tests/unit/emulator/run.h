/* run.h - a few instructions on a rig, and the exception that they end in. */
#pragma once
#include "rig.h"

#define CODE 0x1000u

/* Put ARM code at CODE and run n instructions of it. */
static inline void run(struct rig *rig, const uint32_t *code, size_t words, uint64_t n)
{
	for (size_t i = 0; i < words; i++)
		poke(rig, CODE + 4 * (uint32_t)i, code[i]);
	mem_fetch_forget(&rig->mem);
	rig->cpu.pc = CODE;
	rig->cpu.run_until = rig->cpu.count + n;
	assert_int_equal(cpu_run(&rig->cpu), EXEC_OK);
}

#define RUN(rig, n, ...)                                                                           \
	do {                                                                                       \
		static const uint32_t code_[] = {__VA_ARGS__};                                     \
		run(rig, code_, sizeof(code_) / sizeof(code_[0]), n);                              \
	} while (0)

static inline void expect_exception(struct rig *rig, uint32_t mode, uint32_t pc, uint32_t lr)
{
	assert_int_equal(rig->cpu.cpsr & 0x1f, mode);
	assert_int_equal(rig->cpu.pc, pc);
	assert_int_equal(rig->cpu.r[14], lr);
	assert_true(rig->cpu.cpsr & PSR_I);
	assert_false(rig->cpu.cpsr & PSR_T);
}
