/* cp15.h - the system control coprocessor: what MRC, MCR and MCRR p15 do. One row an operation, in a
 * table a kind of core; whatever has no row stops the machine with its name. */
#pragma once
#include "cpu.h"

#include <stdbool.h>
#include <stdint.h>

/* The fields of one MRC or MCR: opc1, CRn, CRm, opc2. */
struct cp15_op {
	uint8_t opc1, crn, crm, opc2;
};

/* Run an operation. EXEC_OK, EXEC_STOP naming the operation, or for maintenance by address also
 * EXEC_DATA_ABORT. */
enum exec cp15_read(struct cpu *cpu, struct cp15_op op, uint32_t *value);
enum exec cp15_write(struct cpu *cpu, struct cp15_op op, uint32_t value);

/* MCRR p15, opc, end, start, crm: an operation on the lines from start to end, the last one included. Also
 * EXEC_UNDEFINED, where there is none or user mode may not. */
enum exec cp15_range(struct cpu *cpu, unsigned opc, unsigned crm, uint32_t start, uint32_t end);

/* Whether user mode may. */
bool cp15_is_for_user(const struct cpu *cpu, struct cp15_op op, bool is_read);
