#include "cryptdev.h"

#include "dmdev.h"
#include "ledger.h"
#include "loopdev.h"
#include "node.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_BYTES  (POOL_MAX * PAGE_BYTES)
#define SECTOR_BYTES 512U
#define KEY          "00112233445566778899aabbccddeeff"

/* In the order in which they are tried. */
static const char *const ciphers[] = {"capi:cbc(aes-generic)-plain", "aes-cbc-plain"};

struct pattern crypt_pattern(const struct crypt *crypt, unsigned int page)
{
	return pattern_of((struct stamp){.generation = GENERATION_FIXED,
	                                 .page = (uint16_t)page,
	                                 .nonce = crypt->nonce,
	                                 .writer = WRITER_CIPHER});
}

const void *crypt_raw(const struct crypt *crypt, unsigned int page)
{
	return crypt->raw + (size_t)page * PAGE_BYTES;
}

int crypt_read(struct ctx *ctx, const struct crypt *crypt, unsigned int page, void *va)
{
	ssize_t done = pread(crypt->direct, va, PAGE_BYTES, (off_t)page * (off_t)PAGE_BYTES);

	if (done == (ssize_t)PAGE_BYTES)
		return 0;
	if (done >= 0)
		errno = EIO;
	return ctx_error(ctx, "direct read from the dm-crypt map");
}

/* Map the loop device through the first cipher that this kernel has. */
static int map_cipher(struct ctx *ctx, struct crypt *crypt, const struct loop *loop, dev_t *map)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		char parameters[160];

		(void)snprintf(parameters, sizeof(parameters), "%s " KEY " 0 %u:%u 0", ciphers[i],
		               loop->major, loop->minor);
		crypt->cipher = ciphers[i];
		if (dm_create(ctx, ctx->ledger->label, "crypt", parameters,
		              IMAGE_BYTES / SECTOR_BYTES, map) == 0)
			return 0;
		error = errno;
		if (error == EPERM || error == EACCES)
			return ctx_skip(ctx, REASON_NOPERM, "device mapper: not allowed");
	}
	if (error == ENODEV)
		return ctx_skip(ctx, REASON_NOCONFIG, "no device mapper");
	if (error == EINVAL || error == ENOENT)
		return ctx_skip(ctx, REASON_NOCONFIG, "no dm-crypt, or no AES in CBC mode");
	errno = error;
	return ctx_error(ctx, "creating a dm-crypt map");
}

static int write_plaintext(struct ctx *ctx, const struct crypt *crypt, int map)
{
	for (unsigned int page = 0; page < POOL_MAX; page++) {
		struct pattern pattern = crypt_pattern(crypt, page);

		pattern_store(ctx->source, &pattern);
		if (pwrite(map, ctx->source, PAGE_BYTES, (off_t)page * (off_t)PAGE_BYTES) !=
		    (ssize_t)PAGE_BYTES)
			return ctx_error(ctx, "writing the dm-crypt image");
	}
	if (fsync(map) < 0)
		return ctx_error(ctx, "syncing the dm-crypt image");
	return 0;
}

/* A reference that is wrong from the start would call every later read wrong. */
static int check_plaintext(struct ctx *ctx, const struct crypt *crypt, int map)
{
	static struct view view;

	(void)posix_fadvise(map, 0, 0, POSIX_FADV_DONTNEED);
	for (unsigned int page = 0; page < POOL_MAX; page++) {
		struct pattern pattern = crypt_pattern(crypt, page);

		if (pread(map, ctx->buffer, PAGE_BYTES, (off_t)page * (off_t)PAGE_BYTES) !=
		    (ssize_t)PAGE_BYTES)
			return ctx_error(ctx, "reading the dm-crypt image back");
		view_take(&view, VIEW_KERNEL, ctx->buffer, &pattern, NULL);
	}
	errno = 0;
	if (halves_count(&view.bad) > 0)
		return ctx_error(ctx, "a buffered read of the dm-crypt image is already wrong");
	(void)posix_fadvise(map, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int keep_raw(struct ctx *ctx, struct crypt *crypt, int image)
{
	crypt->raw =
		mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (crypt->raw == MAP_FAILED)
		return ctx_error(ctx, "memory for the ciphertext");
	if (pread(image, crypt->raw, IMAGE_BYTES, 0) != (ssize_t)IMAGE_BYTES)
		return ctx_error(ctx, "reading the ciphertext");
	return 0;
}

int crypt_open(struct ctx *ctx, struct crypt *crypt)
{
	int image = file_on_tmpfs(ctx, 0, IMAGE_BYTES);
	struct loop loop;
	dev_t device;
	int map;

	crypt->nonce = ctx->nonce;
	if (image < 0)
		return -1;
	if (loop_attach(ctx, image, &loop) < 0)
		return ctx_cannot(ctx, "loop device");
	if (map_cipher(ctx, crypt, &loop, &device) < 0)
		return -1;
	map = node_open(S_IFBLK, device, O_RDWR);
	if (map < 0)
		return ctx_error(ctx, "opening the dm-crypt map");
	if (write_plaintext(ctx, crypt, map) < 0 || keep_raw(ctx, crypt, image) < 0 ||
	    check_plaintext(ctx, crypt, map) < 0)
		return -1;
	(void)close(map);
	(void)close(image); /* the loop device holds it */
	crypt->direct = node_open(S_IFBLK, device, O_RDWR | O_DIRECT);
	if (crypt->direct < 0)
		return ctx_error(ctx, "opening the dm-crypt map for direct reads");
	ctx_note(ctx, "cipher %s", crypt->cipher);
	return 0;
}
