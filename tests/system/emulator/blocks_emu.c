/* blocks_emu.c MODEL - run blocks from stdin on the emulator's core of that model in user mode, outcomes to stdout. */
#include "blocks.h"
#include "common/err.h"
#include "emulator/bus.h"
#include "emulator/cache.h"
#include "emulator/cpu.h"
#include "emulator/mem.h"

#include <stdio.h>
#include <string.h>

#define LIMIT 100000u

static int run_block(struct cpu *cpu, struct bus *bus, const struct block *block,
                     struct outcome *outcome)
{
	uint8_t *data = bus_ram(bus, DATA_AT, sizeof(outcome->data));

	mem_fetch_forget(cpu->mem);
	memcpy(bus_ram(bus, CODE_AT, CODE_BYTES), block->code, CODE_BYTES);
	fill_data(outcome->data, block->data_seed);
	memcpy(data, outcome->data, sizeof(outcome->data));
	(void)cpu_set_cpsr(cpu, MODE_USR | block->flags | (block->thumb ? PSR_T : 0));
	memcpy(cpu->r, block->regs, sizeof(block->regs));
	cpu->pc = CODE_AT;
	for (uint32_t n = 0; cpu->pc != EXIT_AT; n++) {
		if (n == LIMIT || (cpu->cpsr & 0x1f) != MODE_USR)
			return -1;
		cpu->run_until = cpu->count + 1;
		(void)cpu_run(cpu);
	}
	memcpy(outcome->regs, cpu->r, sizeof(outcome->regs));
	outcome->flags = cpu->cpsr & FLAGS;
	memcpy(outcome->data, data, sizeof(outcome->data));
	return 0;
}

int main(int argc, char **argv)
{
	enum cpu_model model;
	static struct block block;
	static struct mem mem;
	struct outcome outcome;
	struct cpu cpu;
	struct err err;
	struct bus *bus = bus_new(64u << 20, &err);
	unsigned long n = 0;
	int status = 0;

	if (argc != 2 || !cpu_model_by_name(argv[1], &model)) {
		(void)fprintf(stderr, "usage: emulator_blocks arm926|arm1136|arm1176\n");
		return 64;
	}
	if (!bus) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	mem_init(&mem, bus, NULL, NULL);
	cpu_init(&cpu, &mem, model);
	/* As Linux has it for its programs. */
	if (cpu.v6)
		mmu_set_control(&mem.mmu, mem.mmu.control | SCTLR_U);
	for (; status == 0 && fread(&block, sizeof(block), 1, stdin) == 1; n++) {
		if (run_block(&cpu, bus, &block, &outcome) < 0) {
			(void)fprintf(stderr, "block %lu: pc 0x%08x cpsr 0x%08x: %s\n", n, cpu.pc,
			              cpu.cpsr, cpu.stop_text);
			status = 1;
		} else if (fwrite(&outcome, sizeof(outcome), 1, stdout) != 1) {
			status = 1;
		}
	}
	bus_free(bus);
	return status;
}
