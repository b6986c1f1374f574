/* blocks_arm.c - run blocks from stdin on the processor this runs on, outcomes to stdout. Built for ARM,
 * statically; qemu-arm-static runs it as the reference. */
#include "blocks.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* In this order: the assembler below knows the offsets. */
struct context {
	uint32_t regs[15]; /* in and out */
	uint32_t flags;    /* 60, in and out */
	uint32_t own_sp;   /* 64 */
	uint32_t entry;    /* 68 */
};

struct context context;
void enter(void);

/* The copy at EXIT_AT is in a page that can be written, so it can save r0 next to itself. */
extern const uint8_t exit_stub[], exit_stub_end[];

__asm__(".text\n.arm\n.global enter\nenter:\n"
        "	push {r4-r11, lr}\n"
        "	ldr r0, =context\n"
        "	str sp, [r0, #64]\n"
        "	ldr r1, [r0, #60]\n"
        "	ldr r2, [r0, #68]\n"
        "	ldr r3, =entry_slot\n"
        "	str r2, [r3]\n"
        "	msr cpsr_fs, r1\n"
        "	ldmia r0, {r0-r14}\n"
        "	ldr pc, entry_slot\n"
        "	.ltorg\n"
        "entry_slot: .word 0\n"
        ".global exit_stub\nexit_stub:\n"
        "	str r0, exit_slot\n"
        "	ldr r0, exit_context\n"
        "	add r0, r0, #4\n"
        "	stmia r0, {r1-r14}\n"
        "	sub r0, r0, #4\n"
        "	mrs r1, cpsr\n"
        "	str r1, [r0, #60]\n"
        "	ldr r1, exit_slot\n"
        "	str r1, [r0]\n"
        "	ldr sp, [r0, #64]\n"
        "	pop {r4-r11, pc}\n"
        "exit_slot: .word 0\n"
        "exit_context: .word context\n"
        ".global exit_stub_end\nexit_stub_end:\n");

static uint8_t *map_at(uint32_t address, size_t len)
{
	void *got = mmap((void *)(uintptr_t)address, len, PROT_READ | PROT_WRITE | PROT_EXEC,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return got == MAP_FAILED ? NULL : got;
}

int main(void)
{
	uint8_t *code = map_at(CODE_AT, 4096);
	uint8_t *data = map_at(DATA_AT, 4096);
	uint8_t *stub = map_at(EXIT_AT, 4096);
	/* The one word of our own text that is written to. */
	uintptr_t text = (uintptr_t)&enter & ~4095u;
	struct block block;

	if (!code || !data || !stub ||
	    mprotect((void *)text, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) < 0) {
		perror("mmap");
		return 1;
	}
	memcpy(stub, exit_stub, (size_t)(exit_stub_end - exit_stub));
	__builtin___clear_cache((char *)stub, (char *)stub + 4096);
	while (fread(&block, sizeof(block), 1, stdin) == 1) {
		struct outcome outcome;

		memcpy(code, block.code, sizeof(block.code));
		__builtin___clear_cache((char *)code, (char *)code + sizeof(block.code));
		fill_data((uint32_t *)(void *)data, block.data_seed);
		memcpy(context.regs, block.regs, sizeof(context.regs));
		context.flags = block.flags;
		context.entry = CODE_AT | block.thumb;
		enter();
		memcpy(outcome.regs, context.regs, sizeof(outcome.regs));
		outcome.flags = context.flags & FLAGS;
		memcpy(outcome.data, data, sizeof(outcome.data));
		if (fwrite(&outcome, sizeof(outcome), 1, stdout) != 1)
			return 1;
	}
	return 0;
}
