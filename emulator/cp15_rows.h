/* cp15_rows.h - what the files of the system control coprocessor share: rows of operations, one table a
 * kind of core, and the operations that all cores have. */
#pragma once
#include "cp15.h"

#include <stdint.h>

typedef uint32_t cp15_read_fn(struct cpu *cpu);
typedef enum exec cp15_write_fn(struct cpu *cpu, uint32_t value);

enum cp15_user { USER_READ = 1, USER_WRITE = 2 };

struct cp15_row {
	struct cp15_op op;
	cp15_read_fn *read;   /* NULL: no MRC */
	cp15_write_fn *write; /* NULL: no MCR */
	unsigned user;        /* enum cp15_user: what user mode may, too */
};

/* Each table ends with a row that has neither. */
extern const struct cp15_row cp15_arm926_rows[];
extern const struct cp15_row cp15_arm11_rows[]; /* ARM1136, ARM1176 */

/* MCRR of the ARM11: as cp15_range(). */
enum exec cp15_arm11_range(struct cpu *cpu, unsigned opc, unsigned crm, uint32_t start,
                           uint32_t end);

/* Registers. */
cp15_read_fn cp15_read_cache_type, cp15_read_zero, cp15_read_control, cp15_read_ttbr,
	cp15_read_dacr, cp15_read_dfsr, cp15_read_far, cp15_read_pid;
cp15_write_fn cp15_write_dacr, cp15_write_far, cp15_write_pid;

/* Take the bits of mask from value into SCTLR. */
void cp15_set_control(struct cpu *cpu, uint32_t value, uint32_t mask);

/* Maintenance that cannot abort, and the rest of c7. Barriers are nothing: there is no write buffer, and
 * nothing is prefetched. */
cp15_write_fn cp15_invalidate_i, cp15_invalidate_d, cp15_invalidate_both, cp15_invalidate_d_index,
	cp15_clean_d_index, cp15_clean_invalidate_d_index, cp15_nothing, cp15_wait_for_interrupt,
	cp15_flush_tlb;
