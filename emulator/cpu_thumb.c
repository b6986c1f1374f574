/* Thumb state, of ARMv5T and ARMv6. Bits 15:6 choose the function. */
#include "arm_insn.h"
#include "host.h"
#include "mem.h"

#include <stddef.h>

#define D(insn)    ((insn)&7)
#define S(insn)    ((insn) >> 3 & 7)
#define O(insn)    ((insn) >> 6 & 7)
#define IMM5(insn) ((insn) >> 6 & 31)
#define IMM8(insn) ((insn)&0xff)
#define D8(insn)   ((insn) >> 8 & 7)

static enum exec shift(struct cpu *cpu, uint32_t insn)
{
	struct shifted result =
		shift_immediate(cpu->r[S(insn)], insn >> 11 & 3, IMM5(insn), carry_of(cpu));

	cpu->r[D(insn)] = result.value;
	set_nzc(cpu, result.value, result.carry);
	return EXEC_OK;
}

/* Bit 10: a 3-bit immediate instead of a register, bit 9: subtract. */
static enum exec add_subtract(struct cpu *cpu, uint32_t insn)
{
	uint32_t b = insn & 0x400 ? O(insn) : cpu->r[O(insn)];
	bool subtract = insn & 0x200;

	cpu->r[D(insn)] = add_flags(cpu, cpu->r[S(insn)], subtract ? ~b : b, subtract);
	return EXEC_OK;
}

static enum exec move_immediate(struct cpu *cpu, uint32_t insn)
{
	cpu->r[D8(insn)] = IMM8(insn);
	set_nz(cpu, IMM8(insn));
	return EXEC_OK;
}

static enum exec compare_immediate(struct cpu *cpu, uint32_t insn)
{
	(void)add_flags(cpu, cpu->r[D8(insn)], ~IMM8(insn), 1);
	return EXEC_OK;
}

static enum exec add_immediate(struct cpu *cpu, uint32_t insn)
{
	cpu->r[D8(insn)] = add_flags(cpu, cpu->r[D8(insn)], IMM8(insn), 0);
	return EXEC_OK;
}

static enum exec subtract_immediate(struct cpu *cpu, uint32_t insn)
{
	cpu->r[D8(insn)] = add_flags(cpu, cpu->r[D8(insn)], ~IMM8(insn), 1);
	return EXEC_OK;
}

/* Shifts by register: LSL, LSR, ASR, ROR of the ALU group. */
static void shift_register(struct cpu *cpu, uint32_t insn, enum shift_kind kind)
{
	struct shifted result =
		shift_by(cpu->r[D(insn)], kind, cpu->r[S(insn)] & 0xff, carry_of(cpu));

	cpu->r[D(insn)] = result.value;
	set_nzc(cpu, result.value, result.carry);
}

static void set_logic(struct cpu *cpu, uint32_t insn, uint32_t value)
{
	cpu->r[D(insn)] = value;
	set_nz(cpu, value);
}

/* The ALU group in two halves, by bit 9. */
static enum exec alu_low(struct cpu *cpu, uint32_t insn)
{
	uint32_t *d = &cpu->r[D(insn)];
	uint32_t s = cpu->r[S(insn)];

	switch (insn >> 6 & 7) {
	case 0:
		set_logic(cpu, insn, *d & s);
		break;
	case 1:
		set_logic(cpu, insn, *d ^ s);
		break;
	case 2:
		shift_register(cpu, insn, SHIFT_LSL);
		break;
	case 3:
		shift_register(cpu, insn, SHIFT_LSR);
		break;
	case 4:
		shift_register(cpu, insn, SHIFT_ASR);
		break;
	case 5:
		*d = add_flags(cpu, *d, s, carry_of(cpu));
		break;
	case 6:
		*d = add_flags(cpu, *d, ~s, carry_of(cpu));
		break;
	default:
		shift_register(cpu, insn, SHIFT_ROR);
		break;
	}
	return EXEC_OK;
}

static enum exec alu_high(struct cpu *cpu, uint32_t insn)
{
	uint32_t *d = &cpu->r[D(insn)];
	uint32_t s = cpu->r[S(insn)];

	switch (insn >> 6 & 7) {
	case 0:
		set_nz(cpu, *d & s);
		break;
	case 1:
		*d = add_flags(cpu, 0, ~s, 1);
		break;
	case 2:
		(void)add_flags(cpu, *d, ~s, 1);
		break;
	case 3:
		(void)add_flags(cpu, *d, s, 0);
		break;
	case 4:
		set_logic(cpu, insn, *d | s);
		break;
	case 5:
		set_logic(cpu, insn, *d * s);
		break;
	case 6:
		set_logic(cpu, insn, *d & ~s);
		break;
	default:
		set_logic(cpu, insn, ~s);
		break;
	}
	return EXEC_OK;
}

/* ADD, CMP and MOV that reach all sixteen registers. */
#define HIGH_D(insn) (D(insn) | ((insn) >> 4 & 8))
#define HIGH_S(insn) ((insn) >> 3 & 15)

static enum exec write_high(struct cpu *cpu, unsigned n, uint32_t value)
{
	if (n == 15)
		return cpu_jump(cpu, value);
	cpu->r[n] = value;
	return EXEC_OK;
}

static enum exec add_high(struct cpu *cpu, uint32_t insn)
{
	return write_high(cpu, HIGH_D(insn), cpu->r[HIGH_D(insn)] + cpu->r[HIGH_S(insn)]);
}

static enum exec compare_high(struct cpu *cpu, uint32_t insn)
{
	(void)add_flags(cpu, cpu->r[HIGH_D(insn)], ~cpu->r[HIGH_S(insn)], 1);
	return EXEC_OK;
}

static enum exec move_high(struct cpu *cpu, uint32_t insn)
{
	return write_high(cpu, HIGH_D(insn), cpu->r[HIGH_S(insn)]);
}

/* BX, and BLX with bit 7. */
static enum exec branch_exchange(struct cpu *cpu, uint32_t insn)
{
	uint32_t target = cpu->r[HIGH_S(insn)];

	if (insn & 0x80)
		cpu->r[14] = (cpu->pc + 2) | 1;
	return cpu_branch_exchange(cpu, target);
}

static bool load_rotated(struct cpu *cpu, uint32_t address, uint32_t *value)
{
	if (!mem_load32(cpu->mem, address, cpu->user_shift, value))
		return false;
	if ((address & 3) && !(cpu->mem->mmu.control & SCTLR_U))
		*value = rotate_right(*value, 8 * (address & 3));
	return true;
}

static enum exec load_word(struct cpu *cpu, unsigned rd, uint32_t address)
{
	uint32_t value;

	if (!load_rotated(cpu, address, &value))
		return EXEC_DATA_ABORT;
	cpu->r[rd] = value;
	return EXEC_OK;
}

static enum exec store_word(struct cpu *cpu, unsigned rd, uint32_t address)
{
	return mem_store32(cpu->mem, address, cpu->user_shift, cpu->r[rd]) ? EXEC_OK
	                                                                   : EXEC_DATA_ABORT;
}

static enum exec load_literal(struct cpu *cpu, uint32_t insn)
{
	return load_word(cpu, D8(insn), (cpu->r[15] & ~3u) + 4 * IMM8(insn));
}

enum kind {
	KIND_STR,
	KIND_STRH,
	KIND_STRB,
	KIND_LDRSB,
	KIND_LDR,
	KIND_LDRH,
	KIND_LDRB,
	KIND_LDRSH
};

static enum exec transfer(struct cpu *cpu, enum kind kind, unsigned rd, uint32_t address)
{
	uint32_t *d = &cpu->r[rd];
	uint32_t value = *d;
	bool done;

	switch (kind) {
	case KIND_STR:
		done = mem_store32(cpu->mem, address, cpu->user_shift, *d);
		break;
	case KIND_STRH:
		done = mem_store16(cpu->mem, address, cpu->user_shift, *d);
		break;
	case KIND_STRB:
		done = mem_store8(cpu->mem, address, cpu->user_shift, *d);
		break;
	case KIND_LDR:
		done = load_rotated(cpu, address, &value);
		break;
	case KIND_LDRH:
	case KIND_LDRSH:
		done = mem_load16(cpu->mem, address, cpu->user_shift, &value);
		break;
	case KIND_LDRB:
	case KIND_LDRSB:
	default:
		done = mem_load8(cpu->mem, address, cpu->user_shift, &value);
		break;
	}
	if (!done)
		return EXEC_DATA_ABORT;
	if (kind == KIND_LDRSH)
		value = (uint32_t)(int16_t)value;
	else if (kind == KIND_LDRSB)
		value = (uint32_t)(int8_t)value;
	*d = value;
	return EXEC_OK;
}

static enum exec transfer_register(struct cpu *cpu, uint32_t insn)
{
	return transfer(cpu, (enum kind)(insn >> 9 & 7), D(insn),
	                cpu->r[S(insn)] + cpu->r[O(insn)]);
}

static enum exec load_immediate(struct cpu *cpu, uint32_t insn)
{
	return load_word(cpu, D(insn), cpu->r[S(insn)] + 4 * IMM5(insn));
}

static enum exec store_immediate(struct cpu *cpu, uint32_t insn)
{
	return store_word(cpu, D(insn), cpu->r[S(insn)] + 4 * IMM5(insn));
}

static enum exec transfer_byte(struct cpu *cpu, uint32_t insn)
{
	return transfer(cpu, insn & 0x800 ? KIND_LDRB : KIND_STRB, D(insn),
	                cpu->r[S(insn)] + IMM5(insn));
}

static enum exec transfer_half(struct cpu *cpu, uint32_t insn)
{
	return transfer(cpu, insn & 0x800 ? KIND_LDRH : KIND_STRH, D(insn),
	                cpu->r[S(insn)] + 2 * IMM5(insn));
}

static enum exec transfer_stack(struct cpu *cpu, uint32_t insn)
{
	return transfer(cpu, insn & 0x800 ? KIND_LDR : KIND_STR, D8(insn),
	                cpu->r[13] + 4 * IMM8(insn));
}

static enum exec address_of(struct cpu *cpu, uint32_t insn)
{
	uint32_t base = insn & 0x800 ? cpu->r[13] : cpu->r[15] & ~3u;

	cpu->r[D8(insn)] = base + 4 * IMM8(insn);
	return EXEC_OK;
}

static enum exec move_stack(struct cpu *cpu, uint32_t insn)
{
	uint32_t by = 4 * (insn & 0x7f);

	cpu->r[13] += insn & 0x80 ? 0 - by : by;
	return EXEC_OK;
}

/* Store the registers of list upwards from address. */
static bool store_list(struct cpu *cpu, uint32_t list, uint32_t address)
{
	if (!mem_aligned(cpu->mem, address, 4, true))
		return false;
	for (; list; list &= list - 1) {
		if (!mem_store32(cpu->mem, address, cpu->user_shift, cpu->r[__builtin_ctz(list)]))
			return false;
		address += 4;
	}
	return true;
}

static bool load_list(struct cpu *cpu, uint32_t list, uint32_t address, uint32_t values[16])
{
	if (!mem_aligned(cpu->mem, address, 4, false))
		return false;
	for (; list; list &= list - 1) {
		if (!mem_load32(cpu->mem, address, cpu->user_shift, &values[__builtin_ctz(list)]))
			return false;
		address += 4;
	}
	return true;
}

static void write_list(struct cpu *cpu, uint32_t list, const uint32_t values[16])
{
	for (; list; list &= list - 1)
		cpu->r[__builtin_ctz(list)] = values[__builtin_ctz(list)];
}

static uint32_t bytes_of(uint32_t list)
{
	return 4 * (uint32_t)__builtin_popcount(list);
}

/* PUSH; bit 8 adds LR. */
static enum exec push(struct cpu *cpu, uint32_t insn)
{
	uint32_t list = IMM8(insn) | (insn & 0x100) << 6;
	uint32_t lowest = cpu->r[13] - bytes_of(list);

	if (!store_list(cpu, list, lowest))
		return EXEC_DATA_ABORT;
	cpu->r[13] = lowest;
	return EXEC_OK;
}

/* POP; bit 8 adds the PC, with a change of state. */
static enum exec pop(struct cpu *cpu, uint32_t insn)
{
	uint32_t list = IMM8(insn) | (insn & 0x100) << 7;
	uint32_t values[16];

	if (!load_list(cpu, list, cpu->r[13], values))
		return EXEC_DATA_ABORT;
	cpu->r[13] += bytes_of(list);
	write_list(cpu, list & 0xff, values);
	return list & 0x8000 ? cpu_branch_exchange(cpu, values[15]) : EXEC_OK;
}

static enum exec store_multiple(struct cpu *cpu, uint32_t insn)
{
	if (!store_list(cpu, IMM8(insn), cpu->r[D8(insn)]))
		return EXEC_DATA_ABORT;
	cpu->r[D8(insn)] += bytes_of(IMM8(insn));
	return EXEC_OK;
}

/* A base that is in the list is loaded, not moved on. */
static enum exec load_multiple(struct cpu *cpu, uint32_t insn)
{
	uint32_t base = cpu->r[D8(insn)];
	uint32_t values[16];

	if (!load_list(cpu, IMM8(insn), base, values))
		return EXEC_DATA_ABORT;
	cpu->r[D8(insn)] = base + bytes_of(IMM8(insn));
	write_list(cpu, IMM8(insn), values);
	return EXEC_OK;
}

static enum exec branch_if(struct cpu *cpu, uint32_t insn)
{
	if (cpu_conditions[insn >> 8 & 15] >> (cpu->cpsr >> 28) & 1)
		return cpu_jump(cpu, cpu->r[15] + 2 * (uint32_t)(int8_t)insn);
	return EXEC_OK;
}

static enum exec branch(struct cpu *cpu, uint32_t insn)
{
	return cpu_jump(cpu, cpu->r[15] + (uint32_t)((int32_t)(insn << 21) >> 20));
}

/* BL and BLX are two instructions: the first leaves the upper part of the target in LR. */
static enum exec link_prefix(struct cpu *cpu, uint32_t insn)
{
	cpu->r[14] = cpu->r[15] + (uint32_t)((int32_t)(insn << 21) >> 9);
	return EXEC_OK;
}

static enum exec link_suffix(struct cpu *cpu, uint32_t insn)
{
	uint32_t target = cpu->r[14] + 2 * (insn & 0x7ff);

	cpu->r[14] = (cpu->pc + 2) | 1;
	return cpu_jump(cpu, target);
}

static enum exec link_exchange_suffix(struct cpu *cpu, uint32_t insn)
{
	uint32_t target = cpu->r[14] + 2 * (insn & 0x7ff);

	if (insn & 1)
		return EXEC_UNDEFINED;
	cpu->r[14] = (cpu->pc + 2) | 1;
	return cpu_branch_exchange(cpu, target & ~3u);
}

static enum exec software_interrupt(struct cpu *cpu, uint32_t insn)
{
	(void)cpu;
	(void)insn;
	return EXEC_SWI;
}

/* SXTH, SXTB, UXTH, UXTB. */
static enum exec extend(struct cpu *cpu, uint32_t insn)
{
	uint32_t s = cpu->r[S(insn)];

	switch (insn >> 6 & 3) {
	case 0:
		s = (uint32_t)(int16_t)s;
		break;
	case 1:
		s = (uint32_t)(int8_t)s;
		break;
	case 2:
		s &= 0xffff;
		break;
	default:
		s &= 0xff;
		break;
	}
	cpu->r[D(insn)] = s;
	return EXEC_OK;
}

/* REV, REV16, REVSH. */
static enum exec reverse(struct cpu *cpu, uint32_t insn)
{
	uint32_t s = cpu->r[S(insn)];

	switch (insn >> 6 & 3) {
	case 0:
		cpu->r[D(insn)] = reverse_word(s);
		return EXEC_OK;
	case 1:
		cpu->r[D(insn)] = reverse_halves(s);
		return EXEC_OK;
	case 3:
		cpu->r[D(insn)] = (uint32_t)(int16_t)reverse_halves(s);
		return EXEC_OK;
	default:
		return EXEC_UNDEFINED;
	}
}

/* SETEND, and CPS without a mode. */
static enum exec change_state(struct cpu *cpu, uint32_t insn)
{
	if ((insn & 0xfff7) == 0xb650)
		return cpu_set_endian(cpu, insn & 8);
	if ((insn & 0xffe8) == 0xb660)
		return cpu_change_state(cpu, insn & 7, insn & 0x10 ? 3 : 2, false, 0);
	return EXEC_UNDEFINED;
}

static const struct arm_row v6_rows[] = {
	{0xff00, 0xb200, extend},
	{0xff00, 0xba00, reverse},
	{0xffc0, 0xb640, change_state},
	{0, 0, NULL},
};

static const struct arm_row rows[] = {
	{0xf800, 0x1800, add_subtract},
	{0xe000, 0x0000, shift},
	{0xf800, 0x2000, move_immediate},
	{0xf800, 0x2800, compare_immediate},
	{0xf800, 0x3000, add_immediate},
	{0xf800, 0x3800, subtract_immediate},
	{0xfe00, 0x4000, alu_low},
	{0xfe00, 0x4200, alu_high},
	{0xff00, 0x4400, add_high},
	{0xff00, 0x4500, compare_high},
	{0xff00, 0x4600, move_high},
	{0xff00, 0x4700, branch_exchange},
	{0xf800, 0x4800, load_literal},
	{0xf000, 0x5000, transfer_register},
	{0xf800, 0x6000, store_immediate},
	{0xf800, 0x6800, load_immediate},
	{0xf000, 0x7000, transfer_byte},
	{0xf000, 0x8000, transfer_half},
	{0xf000, 0x9000, transfer_stack},
	{0xf000, 0xa000, address_of},
	{0xff00, 0xb000, move_stack},
	{0xfe00, 0xb400, push},
	{0xfe00, 0xbc00, pop},
	{0xff00, 0xbe00, arm_breakpoint},
	{0xf800, 0xc000, store_multiple},
	{0xf800, 0xc800, load_multiple},
	{0xff00, 0xde00, arm_undefined},
	{0xff00, 0xdf00, software_interrupt},
	{0xf000, 0xd000, branch_if},
	{0xf800, 0xe000, branch},
	{0xf800, 0xe800, link_exchange_suffix},
	{0xf800, 0xf000, link_prefix},
	{0xf800, 0xf800, link_suffix},
	{0, 0, NULL},
};

static arm_fn *decode_table[2][1024]; /* ARMv5, ARMv6 */

static arm_fn *find(const struct arm_row *row, uint32_t insn)
{
	while (row->run && (insn & row->mask) != row->value)
		row++;
	return row->run;
}

void thumb_init(struct cpu *cpu)
{
	/* cppcheck-suppress AssignmentIntegerToAddress ; it is a table of functions */
	arm_fn **table = decode_table[cpu->v6];

	for (uint32_t i = 0; i < 1024; i++) {
		arm_fn *run = cpu->v6 ? find(v6_rows, i << 6) : NULL;

		if (!run)
			run = find(rows, i << 6);
		table[i] = run ? run : arm_undefined;
	}
	cpu->thumb_table = table;
}

__attribute__((noinline)) enum exec thumb_run(struct cpu *cpu)
{
	struct mem *mem = cpu->mem;
	arm_fn *const *table = cpu->thumb_table;
	uint64_t count = cpu->count;
	uint32_t pc = cpu->pc;

	do {
		enum exec result;
		uint32_t insn;

		cpu->pc = pc;
		if (__builtin_expect(!mem_fetch(mem, pc, cpu->user_shift), 0)) {
			cpu->count = count + 1;
			return EXEC_PREFETCH_ABORT;
		}
		insn = host_read(mem->fetch_bytes + (pc & 30), 2);
		cpu->r[15] = pc + 4;
		result = table[insn >> 6](cpu, insn);
		cpu->count = ++count; /* nobody else changes it */
		if (__builtin_expect(result > EXEC_JUMP, 0))
			return result;
		pc = result == EXEC_JUMP ? cpu->next_pc : pc + 2;
	} while (count < cpu->stop_at);
	cpu->pc = pc;
	return EXEC_OK;
}
