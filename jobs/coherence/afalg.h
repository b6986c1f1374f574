/* afalg.h - the kernel's ciphers and hashes through AF_ALG sockets. */
#pragma once
#include "ctx.h"

#include <stdint.h>

#define AFALG_IV_BYTES 16U

struct afalg {
	int type;        /* the socket that is bound to the algorithm */
	int fd;          /* where data goes in and comes out */
	char driver[64]; /* who does it, as /proc/crypto says; "" when it does not */
};

/* Open the first of names that this kernel has, of type "skcipher" or "hash"; names ends with NULL. key may be NULL.
 * Everything ends with the process. Returns 0, or -1 after ctx_skip() or ctx_error(). */
int afalg_open(struct ctx *ctx, struct afalg *alg, const char *type, const char *const names[],
               const void *key, unsigned int key_bytes);

/* End it. */
void afalg_close(struct afalg *alg);

/* Hand bytes of data to the cipher, to be encrypted or decrypted with iv. The kernel keeps a copy; it works when the
 * result is read from alg->fd. Returns 0, or -1 with errno. */
int afalg_put(const struct afalg *alg, bool encrypt, const uint8_t iv[AFALG_IV_BYTES], void *data,
              size_t bytes);
