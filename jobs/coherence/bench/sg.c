/* bench-sg: a cipher writes so many bytes into pages of ours.
 * The kernel flushes each page when it is done with it. A socket takes 64 KiB at a time: 1 MiB are 16 of these. */
#include "afalg.h"
#include "bench.h"

#include <unistd.h>

static const size_t sizes[] = {4096, 65536, 1048576};

#define SIZES     (sizeof(sizes) / sizeof(sizes[0]))
#define PIECE     65536U
#define KEY_BYTES 16U

static struct afalg cipher;
static uint8_t *from, *into;
static size_t bytes;

static int crypt_piece(struct ctx *ctx, size_t at, size_t piece)
{
	static const uint8_t iv[AFALG_IV_BYTES];

	if (afalg_put(&cipher, true, iv, from, piece) < 0)
		return ctx_error(ctx, "AF_ALG: sending");
	if (read(cipher.fd, into + at, piece) != (ssize_t)piece)
		return ctx_error(ctx, "AF_ALG: reading");
	return 0;
}

static int encrypt(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		for (size_t at = 0; at < bytes; at += PIECE) {
			if (crypt_piece(ctx, at, bytes < PIECE ? bytes : PIECE) < 0)
				return -1;
		}
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	static const char *const names[] = {"cbc(aes-generic)", "cbc(aes)", NULL};
	static const uint8_t key[KEY_BYTES] = {1, 2, 3};

	from = bench_memory(ctx, PIECE);
	into = bench_memory(ctx, sizes[SIZES - 1]);
	if (from == NULL || into == NULL ||
	    afalg_open(ctx, &cipher, "skcipher", names, key, sizeof(key)) < 0)
		return -1;
	for (unsigned int i = 0; i < SIZES; i++) {
		struct bench bench = {"encrypt", (unsigned int)(sizes[i] / PAGE_BYTES), -1,
		                      encrypt};

		bytes = sizes[i];
		if (bench_variant(ctx, i, &bench) < 0)
			return -1;
	}
	ctx_note(ctx, "driver %s", cipher.driver);
	return 0;
}

static const struct variant variants[SIZES] = {
	BENCH_CELL("size=4096"),
	BENCH_CELL("size=65536"),
	BENCH_CELL("size=1048576"),
};

const struct test test_bench_sg = {
	.name = "bench-sg",
	.description = "AES by AF_ALG into pages of ours",
	.api = "flush_dcache_page in scatterwalk_pagedone",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_AF_ALG,
	.time_limit_s = 90,
	.iterations = 1,
	.variants = variants,
	.variant_count = SIZES,
	.run = run,
};
