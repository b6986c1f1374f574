/* afalg-cipher: the kernel encrypts or decrypts into a page of the user's, by an AF_ALG socket.
 *
 * What the cipher does to its output is what decides which lines it leaves dirty in a cache that
 * allocates on reads only. CBC decryption writes each block and reads it again, so every line stays
 * behind; CBC encryption reads a block only after it was written, so the first half of a line goes
 * to memory and the second stays: only odd half-lines are wrong; XTS goes over the page again in
 * place, so all of it is. scatterwalk must flush the page when it is done. The input is made by an
 * AES of our own so that what comes out is a test page. */
#include "aes.h"
#include "afalg.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VARIANT_CBC_DECRYPT, VARIANT_CBC_ENCRYPT, VARIANT_XTS, VARIANTS };

/* Long enough for the two keys of XTS. */
static const uint8_t key[2 * AES_KEY_BYTES] = "coherence cbc 01coherence xts 02";
static const uint8_t iv[AES_BLOCK_BYTES] = "sixteen byte iv.";

typedef void cipher_fn(enum aes_way way, const uint8_t *with, const uint8_t *start, uint8_t *data,
                       size_t bytes);

static const struct mode {
	const char *names[3]; /* the plain C code first: a driver may touch memory in another way */
	unsigned int key_bytes;
	bool encrypt;
	cipher_fn *ours;
} modes[VARIANTS] = {
	[VARIANT_CBC_DECRYPT] = {{"cbc(aes-generic)", "cbc(aes)"}, AES_KEY_BYTES, false, aes_cbc},
	[VARIANT_CBC_ENCRYPT] = {{"cbc(aes-generic)", "cbc(aes)"}, AES_KEY_BYTES, true, aes_cbc},
	[VARIANT_XTS] = {{"xts(ecb(aes-generic))", "xts(aes)"}, 2 * AES_KEY_BYTES, true, aes_xts},
};

static struct pool pool;
static struct afalg alg;
static const struct mode *mode; /* of the running variant */
static uint8_t *input;          /* what goes into the cipher, POOL_MAX pages */

static struct pattern output_of(const struct ctx *ctx, unsigned int page)
{
	return pattern_of(ctx_stamp(ctx, WRITER_KERNEL, GENERATION_FIXED, page));
}

static uint8_t *input_of(unsigned int page)
{
	return input + (size_t)page * PAGE_BYTES;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = output_of(ctx, target->page);
	target->cipher = input_of(target->page);
	if (afalg_put(&alg, mode->encrypt, iv, input_of(target->page), PAGE_BYTES) < 0)
		return ctx_error(ctx, "AF_ALG: sendmsg");
	return 0;
}

static int act(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx, read(alg.fd, target->va, PAGE_BYTES), PAGE_BYTES, "AF_ALG: read");
}

/* Make the input whose output the test pages are. */
static void make_input(const struct ctx *ctx)
{
	for (unsigned int page = 0; page < POOL_MAX; page++) {
		struct pattern output = output_of(ctx, page);

		pattern_store(input_of(page), &output);
		mode->ours(mode->encrypt ? AES_DECRYPT : AES_ENCRYPT, key, iv, input_of(page),
		           PAGE_BYTES);
	}
}

/* A kernel whose cipher is not ours would fail every trial: find out with a buffer that no trial uses and nothing
 * cached. */
static int check_cipher(struct ctx *ctx)
{
	static struct view view;
	struct pattern output = output_of(ctx, 0);
	int result;

	views_clear(&view, 1);
	if (afalg_put(&alg, mode->encrypt, iv, input_of(0), PAGE_BYTES) < 0)
		return ctx_error(ctx, "AF_ALG: sendmsg");
	machine_settle();
	result = ctx_whole(ctx, read(alg.fd, ctx->buffer, PAGE_BYTES), PAGE_BYTES, "AF_ALG: read");
	machine_settle();
	view_take(&view, VIEW_USER, ctx->buffer, &output, NULL);
	errno = 0;
	if (result == 0 && halves_count(&view.bad) > 0)
		return ctx_error(ctx, "%s does not compute AES as we do", alg.driver);
	return result;
}

static int run_variant(struct ctx *ctx, unsigned int variant)
{
	static const struct trial_ops ops = {.aim = aim, .act = act};

	mode = &modes[variant];
	if (afalg_open(ctx, &alg, "skcipher", mode->names, key, mode->key_bytes) < 0)
		return -1;
	make_input(ctx);
	if (check_cipher(ctx) < 0)
		return -1;
	ctx_note(ctx, "%s", alg.driver);
	if (trial_run_variant(ctx, variant, &ops, &pool) < 0)
		return -1;
	afalg_close(&alg);
	return 0;
}

static int run(struct ctx *ctx)
{
	input = mmap(NULL, (size_t)POOL_MAX * PAGE_BYTES, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (input == MAP_FAILED)
		return ctx_error(ctx, "memory for the input");
	if (pool_anon(ctx, &pool) < 0)
		return -1;
	for (unsigned int variant = 0; variant < VARIANTS; variant++) {
		if (run_variant(ctx, variant) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_CBC_DECRYPT] = {"cbc-dec", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_CBC_ENCRYPT] = {"cbc-enc", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_XTS] = {"xts", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
};

const struct test test_afalg_cipher = {
	.name = "afalg-cipher",
	.description = "the kernel's ciphers write into a page of the user's",
	.api = "flush_dcache_page in scatterwalk, flush_anon_page in get_user_pages",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_PAGEMAP | NEED_AF_ALG,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
