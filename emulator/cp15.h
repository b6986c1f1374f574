/* cp15.h - the system control coprocessor of the ARM926EJ-S: what MRC and MCR p15 do.
 * One row an operation; whatever has no row stops the machine with its name. */
#pragma once
#include "cpu.h"

#include <stdint.h>

struct mem;

#define CP15_MIDR 0x41069265u /* ARM926EJ-S r0p5 */

/* The fields of one MRC or MCR: opc1, CRn, CRm, opc2. */
struct cp15_op {
	uint8_t opc1, crn, crm, opc2;
};

/* Run an operation for privileged code. EXEC_OK, or EXEC_STOP naming the operation. */
enum exec cp15_read(struct cpu *cpu, struct cp15_op op, uint32_t *value);
enum exec cp15_write(struct cpu *cpu, struct cp15_op op, uint32_t value);
