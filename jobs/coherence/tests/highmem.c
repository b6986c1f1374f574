/* highmem-*: tests that run again with pages that the kernel has no address of its own for.
 *
 * Such a page is mapped for each use (kmap) and flushed when that ends. The tests are those of the
 * names behind the prefix, with their cells; the pool gives them pages of the HighMem zone only. A board with little
 * memory has that zone when it boots with a large vmalloc= on its command line. The kernel
 * refuses to use such memory where a VIPT cache aliases. */
#include "ctx.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_ROOM 160U

/* The number behind word, when line has that. */
static void take(const char *line, const char *word, uint64_t *value)
{
	const char *at = line + strspn(line, " ");

	if (strncmp(at, word, strlen(word)) == 0)
		*value = strtoull(at + strlen(word), NULL, 10);
}

/* Find the zone. Returns 0 when the kernel knows none, 1 when it has no pages, 2 with its first frame. */
static int find_zone(uint64_t *first)
{
	FILE *zones = fopen("/proc/zoneinfo", "re");
	char line[LINE_ROOM];
	uint64_t present = 0;
	bool inside = false;
	int result = 0;

	*first = 0;

	while (zones != NULL && fgets(line, sizeof(line), zones) != NULL) {
		if (strncmp(line, "Node", 4) == 0)
			inside = strstr(line, "HighMem") != NULL;
		if (!inside)
			continue;
		result = 1;
		take(line, "present", &present);
		take(line, "start_pfn:", first);
	}
	if (zones != NULL)
		(void)fclose(zones);
	return result == 1 && present > 0 && *first > 0 ? 2 : result;
}

static int run(struct ctx *ctx)
{
	if (sizeof(void *) > 4 || ctx->class_bits == CLASS_VIPT_ALIASING)
		return ctx_skip(ctx, REASON_NOT_APPLICABLE, "all memory has a kernel address here");
	switch (find_zone(&ctx->least_frame)) {
	case 0:
		return ctx_skip(ctx, REASON_NOCONFIG, "no HighMem zone");
	case 1:
		return ctx_skip(ctx, REASON_NO_MEMORY, "all memory is low: boot with vmalloc=");
	default:
		return ctx->test->of->run(ctx);
	}
}

#define NEEDS (NEED_ROOT | NEED_PAGEMAP | NEED_HIGHMEM)

#define HIGHMEM_TEST(id, other, what, more_needs, repeat)                                          \
	const struct test test_highmem_##id = {                                                    \
		.name = "highmem-" other,                                                          \
		.description = other " with pages that have no kernel address: " what,             \
		.api = "kmap, kunmap, flush_cache_kmaps and the API of " other,                    \
		.kind = KIND_CONTRACT,                                                             \
		.set = SET_EXTENDED,                                                               \
		.classes = CLASS_VIVT | CLASS_VIPT_NONALIASING,                                    \
		.needs = NEEDS | (more_needs),                                                     \
		.time_limit_s = 120,                                                               \
		.iterations = (repeat),                                                            \
		.of = &test_##id,                                                                  \
		.run = run,                                                                        \
	}

HIGHMEM_TEST(dio_read_anon, "dio-read-anon", "direct reads into them", NEED_LOOP | NEED_DM_CRYPT,
             1);
HIGHMEM_TEST(dio_read_mapped, "dio-read-mapped", "direct reads into files",
             NEED_LOOP | NEED_DM_CRYPT, 1);
HIGHMEM_TEST(dio_read_primed, "dio-read-primed", "overlapping direct reads", NEED_LOOP | NEED_AIO,
             1);
HIGHMEM_TEST(dio_write, "dio-write", "direct writes from them", NEED_LOOP, 1);
HIGHMEM_TEST(pipe_splice, "pipe-splice", "handed over to pipes", NEED_TMPFS, 1);
HIGHMEM_TEST(write_mmap, "write-mmap", "writes to mapped files", NEED_TMPFS, 1);
HIGHMEM_TEST(fork_cow, "fork-cow", "copies on write", NEED_TMPFS, 1);
HIGHMEM_TEST(zram_swap, "zram-swap", "out to swap and back", NEED_ZRAM | NEED_SWAP, 1);
