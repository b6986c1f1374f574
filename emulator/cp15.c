#include "cp15.h"

#include "cp15_rows.h"

#include <stddef.h>

#define MEMOS 32u

/* Maintenance comes by the thousand, and in turns, so rows that were found are remembered. */
static const struct cp15_row *row_of(const struct cpu *cpu, struct cp15_op op)
{
	static _Thread_local const struct cp15_row *memos[2][MEMOS];
	const struct cp15_row **memo =
		&memos[cpu->v6][(op.crn * 2u ^ op.crm ^ op.opc2 * 4u) % MEMOS];
	const struct cp15_row *row = *memo;

	if (row && row->op.opc1 == op.opc1 && row->op.crn == op.crn && row->op.crm == op.crm &&
	    row->op.opc2 == op.opc2)
		return row;
	for (row = cpu->v6 ? cp15_arm11_rows : cp15_arm926_rows; row->read || row->write; row++) {
		if (row->op.crn == op.crn && row->op.crm == op.crm && row->op.opc2 == op.opc2 &&
		    row->op.opc1 == op.opc1) {
			*memo = row;
			return row;
		}
	}
	return NULL;
}

static enum exec not_modelled(struct cpu *cpu, const char *mnemonic, struct cp15_op op)
{
	return cpu_stop(cpu, "CP15 operation %s p15, %u, Rd, c%u, c%u, %u is not modelled",
	                mnemonic, op.opc1, op.crn, op.crm, op.opc2);
}

enum exec cp15_read(struct cpu *cpu, struct cp15_op op, uint32_t *value)
{
	const struct cp15_row *row = row_of(cpu, op);

	if (!row || !row->read)
		return not_modelled(cpu, "MRC", op);
	*value = row->read(cpu);
	return EXEC_OK;
}

enum exec cp15_write(struct cpu *cpu, struct cp15_op op, uint32_t value)
{
	const struct cp15_row *row = row_of(cpu, op);

	if (!row || !row->write)
		return not_modelled(cpu, "MCR", op);
	return row->write(cpu, value);
}

bool cp15_is_for_user(const struct cpu *cpu, struct cp15_op op, bool is_read)
{
	const struct cp15_row *row = row_of(cpu, op);

	return row && (row->user & (is_read ? USER_READ : USER_WRITE));
}

enum exec cp15_range(struct cpu *cpu, unsigned opc, unsigned crm, uint32_t start, uint32_t end)
{
	return cpu->v6 ? cp15_arm11_range(cpu, opc, crm, start, end) : EXEC_UNDEFINED;
}
