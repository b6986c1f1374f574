/* ARM state: the table that finds an instruction, and the loop that runs them, line by line. */
#include "arm_insn.h"
#include "host.h"
#include "mem.h"

#include <stddef.h>

static arm_fn *decode_table[2][4096]; /* ARMv5, ARMv6 */

/* The bits that choose, and where they are in the instruction. */
static arm_fn *find(uint32_t insn, const struct arm_row *const *tables)
{
	for (; *tables; tables++) {
		for (const struct arm_row *row = *tables; row->run; row++) {
			if ((insn & row->mask) == row->value)
				return row->run;
		}
	}
	return arm_undefined;
}

ALWAYS_INLINE arm_fn *table_entry(const struct cpu *cpu, uint32_t insn)
{
	return cpu->arm_table[(insn >> 16 & 0xff0) | (insn >> 4 & 0xf)];
}

/* ---- Conditions ---- */

ALWAYS_INLINE bool condition_holds(const struct cpu *cpu, uint32_t insn)
{
	return cpu_conditions[insn >> 28] >> (cpu->cpsr >> 28) & 1;
}

static enum exec conditional(struct cpu *cpu, uint32_t insn)
{
	return condition_holds(cpu, insn) ? table_entry(cpu, insn)(cpu, insn) : EXEC_OK;
}

static enum exec conditional_branch(struct cpu *cpu, uint32_t insn)
{
	return condition_holds(cpu, insn) ? arm_branch(cpu, insn) : EXEC_OK;
}

#define ALWAYS 14u
#define NEVER  15u /* other instructions */

static arm_fn *function_of(const struct cpu *cpu, uint32_t insn)
{
	arm_fn *run = table_entry(cpu, insn);

	if (insn >> 28 == NEVER)
		return arm_unconditional;
	if (insn >> 28 == ALWAYS)
		return run;
	return run == arm_branch ? conditional_branch : conditional;
}

/* ---- Lines ---- */

static void decode(const struct cpu *cpu, struct arm_line *line, const uint8_t *bytes)
{
	memcpy(line->bytes, bytes, CACHE_LINE);
	for (unsigned n = 0; n < CACHE_LINE / 4; n++) {
		uint32_t insn = host_read(bytes + 4 * (size_t)n, 4);

		line->ops[n] = (struct arm_op){function_of(cpu, insn), insn};
	}
}

ALWAYS_INLINE uint64_t differs(const struct arm_line *line, const uint8_t *bytes, unsigned n)
{
	uint64_t now;

	memcpy(&now, bytes + sizeof(now) * n, sizeof(now));
	return now ^ line->bytes[n];
}

ALWAYS_INLINE bool holds(const struct arm_line *line, const uint8_t *bytes)
{
	return (differs(line, bytes, 0) | differs(line, bytes, 1) | differs(line, bytes, 2) |
	        differs(line, bytes, 3)) == 0;
}

ALWAYS_INLINE const struct arm_op *ops_of(struct cpu *cpu, uint32_t pc, const uint8_t *bytes)
{
	struct arm_line *line = &cpu->code[pc / CACHE_LINE % ARM_LINES];

	if (__builtin_expect(!holds(line, bytes), 0))
		decode(cpu, line, bytes);
	return line->ops;
}

void arm_init(struct cpu *cpu)
{
	static const struct arm_row *const v6[] = {
		arm_media_rows,  arm_dual_rows,     arm_exclusive_rows,
		arm_state_rows,  arm_multiply_rows, arm_memory_rows,
		arm_system_rows, arm_data_rows,     NULL};
	static const uint8_t zeros[CACHE_LINE];
	const struct arm_row *const *tables = cpu->v6 ? v6 : v6 + 4;
	/* cppcheck-suppress AssignmentIntegerToAddress ; it is a table of functions */
	arm_fn **table = decode_table[cpu->v6];

	for (uint32_t i = 0; i < 4096; i++)
		/* cppcheck-suppress AssignmentAddressToInteger ; it is a table of functions */
		table[i] = find((i & 0xff0) << 16 | (i & 0xf) << 4, tables);
	cpu->arm_table = table;
	for (unsigned n = 0; n < ARM_LINES; n++)
		decode(cpu, &cpu->code[n], zeros);
}

/* ---- The loop ---- */

/* One instruction. Whether the one behind it is next. */
ALWAYS_INLINE bool step(struct cpu *cpu, const struct arm_op *op, uint32_t pc, uint64_t count,
                        enum exec *result)
{
	cpu->pc = pc;
	__asm__(""
	        : "+r"(pc)); /* else compilers make a vector of both, which costs more than it saves */
	cpu->r[15] = pc + 8;
	*result = op->run(cpu, op->insn);
	cpu->count = count; /* nobody else changes it */
	return __builtin_expect(*result == EXEC_OK && count < cpu->stop_at, 1);
}

#define STEP(n)                                                                                    \
	case n:                                                                                    \
		if (!step(cpu, ops + (n), va + 4 * (n), count + (n) + 1, &result))                 \
			break;                                                                     \
		__attribute__((fallthrough))

/* Run the instructions of a line that begins at va, from first on, until its end, a jump, or stop_at. Each has a place of its own
 * here, where the host can learn what comes after it. */
ALWAYS_INLINE enum exec run_line(struct cpu *cpu, const struct arm_op *ops, uint32_t va,
                                 unsigned first)
{
	uint64_t count = cpu->count - first;
	enum exec result;

	switch (first) {
		STEP(0);
		STEP(1);
		STEP(2);
		STEP(3);
		STEP(4);
		STEP(5);
		STEP(6);
	default:
		(void)step(cpu, ops + 7, va + 28, count + 8, &result);
	}
	return result;
}

/* With a trace, which may want to see the next fetch, it is one instruction. */
static __attribute__((noinline)) enum exec run_traced(struct cpu *cpu, const struct arm_op *ops,
                                                      uint32_t va, unsigned first)
{
	enum exec result;

	(void)step(cpu, ops + first, va + 4 * first, cpu->count + 1, &result);
	return result;
}

__attribute__((noinline)) enum exec arm_run(struct cpu *cpu)
{
	struct mem *mem = cpu->mem;
	const struct arm_op *ops = NULL;
	enum exec result;

	do {
		uint32_t pc = cpu->pc, va = pc & ~(CACHE_LINE - 1);
		unsigned first = pc / 4 % (CACHE_LINE / 4);

		if (va != mem->fetch_line) {
			if (__builtin_expect(!mem_fetch_line(mem, pc, cpu->user_shift), 0)) {
				cpu->count++;
				return EXEC_PREFETCH_ABORT;
			}
			ops = NULL;
		}
		if (!ops)
			ops = ops_of(cpu, pc, mem->fetch_bytes);
		result = __builtin_expect(mem->trace != NULL, 0) ? run_traced(cpu, ops, va, first)
		                                                 : run_line(cpu, ops, va, first);
		if (result == EXEC_OK)
			cpu->pc += 4;
		else if (result == EXEC_JUMP)
			cpu->pc = cpu->next_pc;
		else
			return result;
	} while (cpu->count < cpu->stop_at);
	return EXEC_OK;
}
