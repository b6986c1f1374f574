/* ARM state: loads and stores. The base register is written only when nothing has aborted. */
#include "arm_insn.h"
#include "host.h"
#include "mem.h"

#include <stddef.h>

#define PRE       0x01000000u
#define UP        0x00800000u
#define BYTE      0x00400000u
#define WRITEBACK 0x00200000u
#define LOAD      0x00100000u
#define USER_BANK 0x00400000u /* of LDM and STM: ^ */

struct place {
	uint32_t address, base; /* base: what Rn becomes if it is written */
	bool write_base;
};

ALWAYS_INLINE struct place place_of(const struct cpu *cpu, uint32_t insn, uint32_t offset)
{
	uint32_t rn = cpu->r[RN(insn)];
	uint32_t moved = insn & UP ? rn + offset : rn - offset;

	return (struct place){.address = insn & PRE ? moved : rn,
	                      .base = moved,
	                      .write_base = !(insn & PRE) || (insn & WRITEBACK)};
}

ALWAYS_INLINE void finish(struct cpu *cpu, uint32_t insn, const struct place *place)
{
	if (place->write_base)
		cpu->r[RN(insn)] = place->base;
}

/* Post-indexed with the write-back bit is LDRT and STRT: with user rights. */
ALWAYS_INLINE uint32_t rights_of(const struct cpu *cpu, uint32_t insn)
{
	return (insn & (PRE | WRITEBACK)) == WRITEBACK ? 2 : cpu->user_shift;
}

/* A word at an odd address arrives rotated, if it does not fault. */
ALWAYS_INLINE bool load_rotated(struct cpu *cpu, uint32_t address, uint32_t rights, uint32_t *value)
{
	if (!mem_loaded(mem_load_slowly(cpu->mem, address, rights, 4), value))
		return false;
	if ((address & 3) && !(cpu->mem->mmu.control & SCTLR_U))
		*value = rotate_right(*value, 8 * (address & 3));
	return true;
}

ALWAYS_INLINE enum exec load_single(struct cpu *cpu, uint32_t insn, uint32_t offset)
{
	struct place place = place_of(cpu, insn, offset);
	uint32_t rights = rights_of(cpu, insn);
	uint32_t value;
	bool done;

	if (insn & BYTE)
		done = mem_loaded(mem_load_slowly(cpu->mem, place.address, rights, 1), &value);
	else
		done = load_rotated(cpu, place.address, rights, &value);
	if (!done)
		return EXEC_DATA_ABORT;
	finish(cpu, insn, &place);
	if (RD(insn) == 15)
		return cpu_branch_exchange(cpu, value);
	cpu->r[RD(insn)] = value;
	return EXEC_OK;
}

/* The PC is stored as its address + 12, or + 8. */
ALWAYS_INLINE uint32_t stored_value(const struct cpu *cpu, unsigned n)
{
	return cpu->r[n] + (n == 15 ? cpu->stored_pc : 0);
}

ALWAYS_INLINE enum exec store_single(struct cpu *cpu, uint32_t insn, uint32_t offset)
{
	struct place place = place_of(cpu, insn, offset);
	uint32_t rights = rights_of(cpu, insn);
	uint32_t value = stored_value(cpu, RD(insn));

	if (!mem_store_slowly(cpu->mem, place.address, rights, insn & BYTE ? 1 : 4, value))
		return EXEC_DATA_ABORT;
	finish(cpu, insn, &place);
	return EXEC_OK;
}

/* What most loads and stores are, tried first by functions that need no stack for it: mode's own rights, and mem_quick_load()
 * or mem_quick_store() does. All others are for slowly(). */
ALWAYS_INLINE enum exec try_load(struct cpu *cpu, uint32_t insn, uint32_t offset, unsigned bytes,
                                 arm_fn *slowly)
{
	struct place place = place_of(cpu, insn, offset);
	const uint8_t *at = NULL;

	if ((insn & (PRE | WRITEBACK)) != WRITEBACK && RD(insn) != 15)
		at = mem_quick_load(cpu->mem, place.address, ALLOW_READ << cpu->user_shift, bytes);
	if (!at)
		return slowly(cpu, insn);
	finish(cpu, insn, &place);
	cpu->r[RD(insn)] = host_read(at, bytes);
	return EXEC_OK;
}

ALWAYS_INLINE enum exec try_store(struct cpu *cpu, uint32_t insn, uint32_t offset, unsigned bytes,
                                  arm_fn *slowly)
{
	struct place place = place_of(cpu, insn, offset);
	uint8_t *at = NULL;

	if ((insn & (PRE | WRITEBACK)) != WRITEBACK && RD(insn) != 15)
		at = mem_quick_store(cpu->mem, place.address, ALLOW_WRITE << cpu->user_shift,
		                     bytes);
	if (!at)
		return slowly(cpu, insn);
	host_write(at, bytes, cpu->r[RD(insn)]);
	finish(cpu, insn, &place);
	return EXEC_OK;
}

ALWAYS_INLINE uint32_t shifted_offset(const struct cpu *cpu, uint32_t insn)
{
	return shift_immediate(cpu->r[RM(insn)], insn >> 5 & 3, insn >> 7 & 31, carry_of(cpu))
	        .value;
}

static __attribute__((noinline)) enum exec load_immediate_slowly(struct cpu *cpu, uint32_t insn)
{
	return load_single(cpu, insn, insn & 0xfff);
}

static __attribute__((noinline)) enum exec load_register_slowly(struct cpu *cpu, uint32_t insn)
{
	return load_single(cpu, insn, shifted_offset(cpu, insn));
}

static __attribute__((noinline)) enum exec store_immediate_slowly(struct cpu *cpu, uint32_t insn)
{
	return store_single(cpu, insn, insn & 0xfff);
}

static __attribute__((noinline)) enum exec store_register_slowly(struct cpu *cpu, uint32_t insn)
{
	return store_single(cpu, insn, shifted_offset(cpu, insn));
}

/* Functions for words and bytes; the most frequent have some for the addressing that they use: before, no write-back, with a
 * number up or down. */
#define ADDRESSING (PRE | UP | BYTE | WRITEBACK)
#define SINGLE(name, mask, bits, try, offset, slowly)                                              \
	static enum exec name(struct cpu *cpu, uint32_t insn)                                      \
	{                                                                                          \
		insn = FIXED(insn, mask, bits);                                                    \
		return try(cpu, insn, offset, (bits)&BYTE ? 1 : 4, slowly);                        \
	}
#define IMMEDIATE(name, mask, bits, how)                                                           \
	SINGLE(name, mask, bits, try_##how, insn & 0xfff, how##_immediate_slowly)
#define REGISTER(name, bits, how)                                                                  \
	SINGLE(name, BYTE, bits, try_##how, shifted_offset(cpu, insn), how##_register_slowly)
IMMEDIATE(load_word_up, ADDRESSING, PRE | UP, load)
IMMEDIATE(load_word_down, ADDRESSING, PRE, load)
IMMEDIATE(load_byte_up, ADDRESSING, PRE | UP | BYTE, load)
IMMEDIATE(store_word_up, ADDRESSING, PRE | UP, store)
IMMEDIATE(store_word_down, ADDRESSING, PRE, store)
IMMEDIATE(store_byte_up, ADDRESSING, PRE | UP | BYTE, store)
IMMEDIATE(load_word, BYTE, 0, load)
IMMEDIATE(load_byte, BYTE, BYTE, load)
IMMEDIATE(store_word, BYTE, 0, store)
IMMEDIATE(store_byte, BYTE, BYTE, store)
REGISTER(load_word_register, 0, load)
REGISTER(load_byte_register, BYTE, load)
REGISTER(store_word_register, 0, store)
REGISTER(store_byte_register, BYTE, store)

/* Of a double word: ARMv6's SCTLR.U asks for words only. */
static bool is_aligned_double(struct cpu *cpu, uint32_t address, bool write)
{
	unsigned bytes = cpu->mem->mmu.control & SCTLR_U ? 4 : 8;

	return mem_aligned(cpu->mem, address, bytes, write);
}

/* Halfwords, signed bytes and double words: the offset is a register or eight bits. */
ALWAYS_INLINE struct place place_of_extra(const struct cpu *cpu, uint32_t insn)
{
	uint32_t offset = insn & BYTE ? (insn >> 4 & 0xf0) | (insn & 0xf) : cpu->r[RM(insn)];

	return place_of(cpu, insn, offset);
}

static enum exec load_extra(struct cpu *cpu, uint32_t insn)
{
	struct place place = place_of_extra(cpu, insn);
	bool is_half = insn & 0x20;
	uint32_t value;
	bool done;

	if (is_half)
		done = mem_load16(cpu->mem, place.address, cpu->user_shift, &value);
	else
		done = mem_load8(cpu->mem, place.address, cpu->user_shift, &value);
	if (!done)
		return EXEC_DATA_ABORT;
	if (insn & 0x40)
		value = (uint32_t)(is_half ? (int32_t)(int16_t)value : (int32_t)(int8_t)value);
	finish(cpu, insn, &place);
	cpu->r[RD(insn)] = value;
	return EXEC_OK;
}

static enum exec store_half(struct cpu *cpu, uint32_t insn)
{
	struct place place = place_of_extra(cpu, insn);

	if (!mem_store16(cpu->mem, place.address, cpu->user_shift, stored_value(cpu, RD(insn))))
		return EXEC_DATA_ABORT;
	finish(cpu, insn, &place);
	return EXEC_OK;
}

static enum exec load_double(struct cpu *cpu, uint32_t insn)
{
	struct place place = place_of_extra(cpu, insn);
	uint32_t low, high;

	if (RD(insn) & 1)
		return EXEC_UNDEFINED;
	if (!is_aligned_double(cpu, place.address, false) ||
	    !mem_load32(cpu->mem, place.address, cpu->user_shift, &low) ||
	    !mem_load32(cpu->mem, place.address + 4, cpu->user_shift, &high))
		return EXEC_DATA_ABORT;
	finish(cpu, insn, &place);
	cpu->r[RD(insn)] = low;
	if (RD(insn) == 14)
		return cpu_branch_exchange(cpu, high);
	cpu->r[RD(insn) + 1] = high;
	return EXEC_OK;
}

static enum exec store_double(struct cpu *cpu, uint32_t insn)
{
	struct place place = place_of_extra(cpu, insn);

	if (RD(insn) & 1)
		return EXEC_UNDEFINED;
	if (!is_aligned_double(cpu, place.address, true) ||
	    !mem_store32(cpu->mem, place.address, cpu->user_shift, cpu->r[RD(insn)]) ||
	    !mem_store32(cpu->mem, place.address + 4, cpu->user_shift,
	                 stored_value(cpu, RD(insn) + 1)))
		return EXEC_DATA_ABORT;
	finish(cpu, insn, &place);
	return EXEC_OK;
}

static enum exec swap(struct cpu *cpu, uint32_t insn)
{
	uint32_t address = cpu->r[RN(insn)];
	uint32_t stored = cpu->r[RM(insn)];
	uint32_t value;

	if (!(insn & BYTE) && !mem_aligned(cpu->mem, address, 4, true))
		return EXEC_DATA_ABORT;
	if (insn & BYTE) {
		if (!mem_load8(cpu->mem, address, cpu->user_shift, &value) ||
		    !mem_store8(cpu->mem, address, cpu->user_shift, stored))
			return EXEC_DATA_ABORT;
	} else if (!load_rotated(cpu, address, cpu->user_shift, &value) ||
	           !mem_store32(cpu->mem, address, cpu->user_shift, stored)) {
		return EXEC_DATA_ABORT;
	}
	cpu->r[RD(insn)] = value;
	return EXEC_OK;
}

/* How many registers of a list; compilers make a call of __builtin_popcount() where the host may not have it. */
ALWAYS_INLINE unsigned registers_in(uint32_t list)
{
	list -= list >> 1 & 0x5555;
	list = (list & 0x3333) + (list >> 2 & 0x3333);
	list = (list + (list >> 4)) & 0x0f0f;
	return (list + (list >> 8)) & 31;
}

/* Lowest address of a block transfer, and what the base becomes. */
ALWAYS_INLINE struct place place_of_block(const struct cpu *cpu, uint32_t insn)
{
	uint32_t bytes = 4 * registers_in(insn & 0xffff);
	uint32_t rn = cpu->r[RN(insn)];
	uint32_t lowest = insn & UP ? rn : rn - bytes;

	if (!(insn & PRE) == !(insn & UP))
		lowest += 4;
	return (struct place){.address = lowest,
	                      .base = insn & UP ? rn + bytes : rn - bytes,
	                      .write_base = insn & WRITEBACK};
}

/* How many of left words from address on are in its line. */
ALWAYS_INLINE unsigned words_of_line(uint32_t address, unsigned left)
{
	unsigned room = CACHE_LINE / 4 - (address / 4) % (CACHE_LINE / 4);

	return left < room ? left : room;
}

/* Line by line, where that is quick. */
static bool store_words(struct cpu *cpu, uint32_t address, uint32_t list, bool user_bank)
{
	unsigned left = registers_in(list);
	bool plain = !user_bank && !(list & 0x8000);

	while (left) {
		unsigned count = words_of_line(address, left);
		uint8_t *bytes = NULL;

		if (plain)
			bytes = mem_store_place(cpu->mem, address & ~3u,
			                        ALLOW_WRITE << cpu->user_shift, 4, count);
		for (left -= count; bytes && count; count--, list &= list - 1, address += 4) {
			host_write(bytes, 4, cpu->r[__builtin_ctz(list)]);
			bytes += 4;
		}
		for (; count; count--, list &= list - 1, address += 4) {
			unsigned n = (unsigned)__builtin_ctz(list);
			uint32_t value = stored_value(cpu, n);

			if (user_bank && n != 15)
				value = *cpu_user_reg(cpu, n);
			if (!mem_store32(cpu->mem, address, cpu->user_shift, value))
				return false;
		}
	}
	return true;
}

static bool load_words(struct cpu *cpu, uint32_t address, uint32_t list, uint32_t values[16])
{
	unsigned left = registers_in(list);

	while (left) {
		unsigned count = words_of_line(address, left);
		const uint8_t *bytes = mem_load_place(cpu->mem, address & ~3u,
		                                      ALLOW_READ << cpu->user_shift, 4, count);

		for (left -= count; bytes && count; count--, list &= list - 1, address += 4) {
			values[__builtin_ctz(list)] = host_read(bytes, 4);
			bytes += 4;
		}
		for (; count; count--, list &= list - 1, address += 4) {
			if (!mem_load32(cpu->mem, address, cpu->user_shift,
			                &values[__builtin_ctz(list)]))
				return false;
		}
	}
	return true;
}

static enum exec store_block(struct cpu *cpu, uint32_t insn)
{
	struct place place = place_of_block(cpu, insn);

	if (!mem_aligned(cpu->mem, place.address, 4, true) ||
	    !store_words(cpu, place.address, insn & 0xffff, insn & USER_BANK))
		return EXEC_DATA_ABORT;
	finish(cpu, insn, &place);
	return EXEC_OK;
}

/* LDM ^ with the PC in its list: also the return from an exception. */
static enum exec load_pc(struct cpu *cpu, uint32_t insn, uint32_t target)
{
	const uint32_t *spsr;

	if (!(insn & USER_BANK))
		return cpu_branch_exchange(cpu, target);
	spsr = cpu_spsr(cpu);
	if (!spsr || !cpu_set_cpsr(cpu, *spsr))
		return cpu_stop(cpu, "LDM ^ with an SPSR that names no mode");
	return cpu_jump(cpu, target);
}

static enum exec load_block(struct cpu *cpu, uint32_t insn)
{
	struct place place = place_of_block(cpu, insn);
	bool user_bank = (insn & USER_BANK) && !(insn & 0x8000);
	uint32_t values[16];

	values[15] = 0;
	if (!mem_aligned(cpu->mem, place.address, 4, false) ||
	    !load_words(cpu, place.address, insn & 0xffff, values))
		return EXEC_DATA_ABORT;
	finish(cpu, insn, &place);
	for (uint32_t list = insn & 0x7fff; list; list &= list - 1) {
		unsigned n = (unsigned)__builtin_ctz(list);

		/* cppcheck-suppress uninitvar ; the loop above wrote what this list has */
		*(user_bank ? cpu_user_reg(cpu, n) : &cpu->r[n]) = values[n];
	}
	return insn & 0x8000 ? load_pc(cpu, insn, values[15]) : EXEC_OK;
}

const struct arm_row arm_memory_rows[] = {
	{0x0fb000f0, 0x01000090, swap},
	{0x0e1000f0, 0x000000b0, store_half},
	{0x0e1000f0, 0x000000d0, load_double},
	{0x0e1000f0, 0x000000f0, store_double},
	{0x0e1000f0, 0x001000b0, load_extra},
	{0x0e1000f0, 0x001000d0, load_extra},
	{0x0e1000f0, 0x001000f0, load_extra},
	{0x0ff00000, 0x05800000, store_word_up},
	{0x0ff00000, 0x05000000, store_word_down},
	{0x0ff00000, 0x05c00000, store_byte_up},
	{0x0ff00000, 0x05900000, load_word_up},
	{0x0ff00000, 0x05100000, load_word_down},
	{0x0ff00000, 0x05d00000, load_byte_up},
	{0x0e500000, 0x04000000, store_word},
	{0x0e500000, 0x04400000, store_byte},
	{0x0e500000, 0x04100000, load_word},
	{0x0e500000, 0x04500000, load_byte},
	{0x0e500010, 0x06000000, store_word_register},
	{0x0e500010, 0x06400000, store_byte_register},
	{0x0e500010, 0x06100000, load_word_register},
	{0x0e500010, 0x06500000, load_byte_register},
	{0x0e100000, 0x08000000, store_block},
	{0x0e100000, 0x08100000, load_block},
	{0, 0, NULL},
};
