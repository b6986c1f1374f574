/* cpu.h - one core, ARM926EJ-S (ARMv5TEJ), ARM1136J-S or ARM1176JZ-S (ARMv6K): registers, modes,
 * exceptions and the run loop.
 *
 * The core reaches memory through struct mem only. It knows no clock: it counts instructions, and
 * who owns the machine turns that into time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct mem;
struct snap;

#define PSR_N  0x80000000u
#define PSR_Z  0x40000000u
#define PSR_C  0x20000000u
#define PSR_V  0x10000000u
#define PSR_Q  0x08000000u /* sticky saturation */
#define PSR_GE 0x000f0000u /* ARMv6: of the lanes of a parallel addition */
#define PSR_E  0x00000200u /* ARMv6: big-endian data, which is not modelled */
#define PSR_A  0x00000100u /* ARMv6: imprecise aborts masked */
#define PSR_I  0x00000080u /* IRQ masked */
#define PSR_F  0x00000040u /* FIQ masked */
#define PSR_T  0x00000020u /* Thumb */

enum cpu_mode {
	MODE_USR = 0x10,
	MODE_FIQ = 0x11,
	MODE_IRQ = 0x12,
	MODE_SVC = 0x13,
	MODE_ABT = 0x17,
	MODE_UND = 0x1b,
	MODE_SYS = 0x1f,
};

/* Registers that modes do not share: one bank a mode, USR and SYS together. */
enum cpu_bank { BANK_USR, BANK_FIQ, BANK_IRQ, BANK_SVC, BANK_ABT, BANK_UND, BANKS };

/* How an instruction ended. What is neither of the first two has changed no register but the PC. */
enum exec {
	EXEC_OK,             /* on with the one behind it */
	EXEC_JUMP,           /* on at cpu->next_pc */
	EXEC_DATA_ABORT,     /* mem->data_fault says why */
	EXEC_PREFETCH_ABORT, /* also BKPT */
	EXEC_UNDEFINED,
	EXEC_SWI,
	EXEC_HALT, /* a jump to itself with IRQs masked: nothing will ever happen again */
	EXEC_STOP, /* what this program does not model: cpu->stop_text names it */
};

enum cpu_line { CPU_IRQ = 1, CPU_FIQ = 2 };

enum cpu_model { CPU_ARM926, CPU_ARM1136, CPU_ARM1176 };

typedef enum exec arm_fn(struct cpu *cpu, uint32_t insn);

/* A line of ARM code, and what to do for it. It is known by its bytes, so nobody has to say when memory or the I-cache has
 * changed. */
struct arm_line {
	uint64_t bytes[4];
	struct arm_op {
		arm_fn *run;
		uint32_t insn;
	} ops[8];
};

#define ARM_LINES 1024u

/* Registers of CP15 that change nothing here; ARMv6. */
struct cp15_state {
	uint32_t aux_control;
	uint32_t ifar, wfar;
	uint32_t thread[3]; /* thread IDs: of the user, readable by the user, of the kernel */
};

struct cpu {
	uint32_t r[16];      /* r[15] while an instruction runs: its address + 8, in Thumb + 4 */
	uint32_t pc;         /* of the instruction that runs, or is next */
	uint32_t next_pc;    /* where EXEC_JUMP and exceptions go */
	uint32_t cpsr;       /* change the mode by cpu_set_cpsr() only */
	uint32_t user_shift; /* 2 in user mode, else 0: which permissions a plain access needs */
	uint32_t lines;      /* asserted interrupt inputs, enum cpu_line */
	uint64_t count;      /* instructions since reset */
	uint64_t run_until;  /* cpu_run() returns when count gets there */
	uint64_t
		stop_at; /* and arm_run() and thumb_run() then: run_until, or 0 after cpu_attend() */
	bool waiting;    /* in WFI: no line asserted since */
	struct mem *mem; /* borrowed */
	uint32_t spsr[BANKS];
	uint32_t bank_sp_lr[BANKS][2]; /* r13, r14 of the modes that do not run */
	uint32_t bank_low[2][5];       /* r8-r12: [0] all modes but FIQ, [1] FIQ */
	enum cpu_model model;
	bool v6;                                     /* all models but the ARM926 */
	uint32_t stored_pc;                          /* what a store adds to r[15] */
	uint32_t exclusive_address, exclusive_bytes; /* the monitor; 0 bytes: it is open */
	struct cp15_state cp15;
	arm_fn *const *arm_table, *const *thumb_table; /* of the model */
	char stop_text[160];
	struct arm_line code[ARM_LINES]; /* by virtual address; arm_run() fills them */
};

/* Fill the decode tables and put a core of that model, and mem's MMU, into the state after reset: SVC
 * mode, interrupts masked. */
void cpu_init(struct cpu *cpu, struct mem *mem, enum cpu_model model);

/* "arm926" and so on; or the model of such a name. */
const char *cpu_model_name(enum cpu_model model);
bool cpu_model_by_name(const char *name, enum cpu_model *model);

/* Run until count reaches run_until, WFI, or something that is not modelled.
 * Returns EXEC_OK, EXEC_HALT, or EXEC_STOP with cpu->stop_text set. */
enum exec cpu_run(struct cpu *cpu);

/* Set an interrupt input; an asserted one ends WFI. */
void cpu_set_line(struct cpu *cpu, enum cpu_line line, bool level);

/* Make cpu_run() return after this instruction. */
void cpu_poke(struct cpu *cpu);

/* Save or load registers, lines and the count; between instructions. */
void cpu_snap(struct cpu *cpu, struct snap *snap);

/* Replace the CPSR, changing banks. A mode that does not exist, or big-endian data, is refused: false. */
bool cpu_set_cpsr(struct cpu *cpu, uint32_t value);

/* The SPSR of the current mode; NULL in USR and SYS, which have none. */
uint32_t *cpu_spsr(struct cpu *cpu);

/* Register n as user mode sees it (LDM and STM with ^). */
uint32_t *cpu_user_reg(struct cpu *cpu, unsigned n);

/* R13 of that mode; NULL when there is no such mode. */
uint32_t *cpu_stack_of(struct cpu *cpu, uint32_t mode);

/* Record that something is not modelled, with the PC. Returns EXEC_STOP. */
enum exec cpu_stop(struct cpu *cpu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Jump to target without a change of state. Returns EXEC_JUMP. */
static inline enum exec cpu_jump(struct cpu *cpu, uint32_t target)
{
	cpu->next_pc = target & (cpu->cpsr & PSR_T ? ~1u : ~3u);
	return EXEC_JUMP;
}

/* Branch to target, to Thumb when bit 0 is set (BX, BLX, loads of the PC). Returns EXEC_JUMP. */
enum exec cpu_branch_exchange(struct cpu *cpu, uint32_t target) __attribute__((warn_unused_result));

/* Take the exception for how the instruction at cpu->pc ended; sets next_pc. */
void cpu_exception(struct cpu *cpu, enum exec why);

/* Take a pending interrupt if it is not masked; pc is then the vector. False if masked. */
bool cpu_interrupt(struct cpu *cpu);

/* CPS, ARM and Thumb: bits A, I, F of aif are cleared (imod 2) or set (3). Nothing in user mode. */
enum exec cpu_change_state(struct cpu *cpu, uint32_t aif, uint32_t imod, bool to_mode,
                           uint32_t mode);
/* SETEND. */
enum exec cpu_set_endian(struct cpu *cpu, bool big);

/* After this instruction let cpu_run() look again at what decides how it goes on: interrupts, the state, the fetch line. */
static inline void cpu_attend(struct cpu *cpu)
{
	cpu->stop_at = 0;
}

/* Run instructions from cpu->pc on, at least one, as long as count is below stop_at. EXEC_OK, or how the one at cpu->pc ended;
 * that is counted, too. */
enum exec arm_run(struct cpu *cpu);
enum exec thumb_run(struct cpu *cpu);

/* Fill the tables that the steps decode by (more than once is fine) and choose the core's. */
void arm_init(struct cpu *cpu);
void thumb_init(struct cpu *cpu);

/* Whether a condition (0-14; AL is 14) holds for the flags in cpsr. Row: condition, bit: NZCV. */
extern const uint16_t cpu_conditions[16];
