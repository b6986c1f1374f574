/* cryptdev.h - a dm-crypt device whose plaintext is known: the source for direct reads. */
#pragma once
#include "trial.h"

struct crypt {
	int direct;         /* the map, opened O_DIRECT */
	const char *cipher; /* specification that this kernel took */
	uint8_t *raw;       /* the ciphertext, POOL_MAX pages */
	uint16_t nonce;
};

/* Set it up: an image on tmpfs, a loop device, a plain map with a fixed key; blocks written
 * through the map, read back and compared, caches dropped. Software AES is forced where the
 * kernel lets us, because an accelerated driver may touch memory in another way.
 * Returns 0, or -1 after ctx_skip() or ctx_error(). */
int crypt_open(struct ctx *ctx, struct crypt *crypt);

/* What a read of page (below POOL_MAX) of the map delivers. */
struct pattern crypt_pattern(const struct crypt *crypt, unsigned int page);

/* The ciphertext of that page. */
const void *crypt_raw(const struct crypt *crypt, unsigned int page);

/* Read that page by O_DIRECT into the page at va. Returns 0, or -1 after ctx_error(). */
int crypt_read(struct ctx *ctx, const struct crypt *crypt, unsigned int page, void *va);
