#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static unsigned int bits(unsigned int mask)
{
	unsigned int count = 0;

	for (; mask != 0; mask >>= 1)
		count += mask & 1U;
	return count == 0 ? 1 : count;
}

static unsigned int variant_cells(const struct variant *variant)
{
	return bits(variant->user) * bits(variant->kernel) * bits(variant->delta);
}

/* The number of the nth bit that is set in mask, or -1 when mask is empty. */
static int nth_bit(unsigned int mask, unsigned int nth)
{
	for (int bit = 0; mask != 0; bit++, mask >>= 1) {
		if ((mask & 1U) != 0 && nth-- == 0)
			return bit;
	}
	return -1;
}

unsigned int test_cells(const struct test *test)
{
	unsigned int count = 0;

	size_t variants = test->of != NULL ? test->of->variant_count : test->variant_count;

	for (size_t i = 0; i < variants; i++)
		count += variant_cells(&test_variants(test)[i]);
	return count;
}

struct cell test_cell(const struct test *test, unsigned int index)
{
	struct cell cell = {.user = -1, .kernel = -1, .delta = -1};
	const struct variant *variant = test_variants(test);
	unsigned int deltas, kernels;

	while (index >= variant_cells(variant)) {
		index -= variant_cells(variant);
		variant++;
		cell.variant++;
	}
	deltas = bits(variant->delta);
	kernels = bits(variant->kernel);
	cell.delta = nth_bit(variant->delta, index % deltas);
	cell.kernel = nth_bit(variant->kernel, index / deltas % kernels);
	cell.user = nth_bit(variant->user, index / deltas / kernels);
	return cell;
}

__attribute__((format(printf, 2, 3))) static void append(char name[CELL_NAME_MAX],
                                                         const char *format, ...)
{
	size_t length = strlen(name);
	va_list args;

	if (length > 0 && length + 1 < CELL_NAME_MAX) {
		name[length++] = ',';
		name[length] = '\0';
	}
	va_start(args, format);
	(void)vsnprintf(name + length, CELL_NAME_MAX - length, format, args);
	va_end(args);
}

void test_cell_name(const struct test *test, unsigned int index, char name[CELL_NAME_MAX])
{
	static const char *const states[USER_STATES] = {"absent", "clean", "dirty"};
	struct cell cell = test_cell(test, index);
	const char *variant = test_variants(test)[cell.variant].name;

	name[0] = '\0';
	if (variant != NULL)
		append(name, "%s", variant);
	if (cell.user >= 0)
		append(name, "u=%s", states[cell.user]);
	if (cell.kernel >= 0)
		append(name, "k=%s", states[cell.kernel]);
	if (cell.delta >= 0)
		append(name, "delta=%d", cell.delta);
	if (name[0] == '\0')
		append(name, "all");
}

enum kind test_cell_kind(const struct test *test, unsigned int index)
{
	enum kind kind = test_variants(test)[test_cell(test, index).variant].kind;

	return test->kind == KIND_CONTRACT ? kind : test->kind;
}

const char *kind_name(enum kind kind)
{
	static const char *const names[] = {"contract", "gap", "info"};

	return names[kind];
}

const char *set_name(enum test_set set)
{
	static const char *const names[SET_COUNT] = {"core", "extended", "bench"};

	return names[set];
}

const char *class_name(unsigned int index)
{
	static const char *const names[CLASS_COUNT] = {"vivt", "vipt-aliasing", "vipt-nonaliasing",
	                                               "pipt"};

	return names[index];
}

const char *need_name(unsigned int index)
{
	static const char *const names[NEED_COUNT] = {"root",
	                                              "pagemap",
	                                              "loop",
	                                              "dm-crypt",
	                                              "tmpfs",
	                                              "ext4",
	                                              "sysvipc",
	                                              "compaction",
	                                              "aio",
	                                              "af-alg",
	                                              "brd",
	                                              "null-blk",
	                                              "zram",
	                                              "scsi-debug",
	                                              "mtd",
	                                              "swap",
	                                              "ksm",
	                                              "userfaultfd",
	                                              "cross-memory-attach",
	                                              "uprobes",
	                                              "bpf-jit",
	                                              "packet",
	                                              "perf",
	                                              "io-uring",
	                                              "inet",
	                                              "fuse",
	                                              "highmem",
	                                              "device"};

	return names[index];
}
