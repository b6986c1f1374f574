/* bench-dmcrypt: direct reads of 64 KiB from a dm-crypt map with sectors of 512 and of 4096 bytes.
 * The cipher flushes the whole page after each sector: eight times a page, or once. */
#include "bench.h"
#include "dmdev.h"
#include "ledger.h"
#include "loopdev.h"
#include "node.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VARIANT_4096, VARIANT_512, VARIANTS };

#define BYTES        65536U
#define SECTOR_BYTES 512U
#define KEY          "00112233445566778899aabbccddeeff"

static int map;
static uint8_t *into;

static int reads(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (pread(map, into, BYTES, 0) != (ssize_t)BYTES)
			return ctx_error(ctx, "reading the dm-crypt map");
	}
	return 0;
}

static int open_map(struct ctx *ctx, const struct loop *loop, unsigned int variant)
{
	static const char *const options[VARIANTS] = {
		[VARIANT_4096] = " 1 sector_size:4096", [VARIANT_512] = ""};
	char name[LEDGER_NAME_MAX];
	char parameters[160];
	dev_t device;

	(void)snprintf(name, sizeof(name), "%.40s-%u", ctx->ledger->label, variant);
	(void)snprintf(parameters, sizeof(parameters), "aes-cbc-plain " KEY " 0 %u:%u 0%s",
	               loop->major, loop->minor, options[variant]);
	if (dm_create(ctx, name, "crypt", parameters, BYTES / SECTOR_BYTES, &device) < 0) {
		if (errno == EINVAL || errno == ENOENT || errno == ENODEV)
			return ctx_skip(ctx, REASON_NOCONFIG, "no dm-crypt, or no AES in CBC mode");
		return ctx_cannot(ctx, "creating a dm-crypt map");
	}
	map = node_open(S_IFBLK, device, O_RDWR | O_DIRECT);
	return map < 0 ? ctx_error(ctx, "opening the dm-crypt map") : 0;
}

static int run(struct ctx *ctx)
{
	static const struct bench benches[VARIANTS] = {
		[VARIANT_4096] = {"read", BYTES / PAGE_BYTES, -1, reads},
		[VARIANT_512] = {"read", BYTES / PAGE_BYTES, VARIANT_4096, reads},
	};
	int image = file_on_tmpfs(ctx, 0, BYTES);
	struct loop loop;

	into = bench_memory(ctx, BYTES);
	if (image < 0 || into == NULL)
		return -1;
	if (loop_attach(ctx, image, &loop) < 0)
		return ctx_cannot(ctx, "loop device");
	for (unsigned int i = 0; i < VARIANTS; i++) {
		if (open_map(ctx, &loop, i) < 0 || bench_variant(ctx, i, &benches[i]) < 0)
			return -1;
		(void)close(map);
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_4096] = BENCH_CELL("sector=4096"),
	[VARIANT_512] = BENCH_CELL("sector=512"),
};

const struct test test_bench_dmcrypt = {
	.name = "bench-dmcrypt",
	.description = "direct reads from dm-crypt with small and large sectors",
	.api = "flush_dcache_page in scatterwalk_pagedone",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_ROOT | NEED_LOOP | NEED_DM_CRYPT | NEED_TMPFS,
	.time_limit_s = 90,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
