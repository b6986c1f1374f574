/* sha256.h - SHA-256 (FIPS 180-4), for hashing a configuration and for checking the kernel's. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32U

struct sha256 {
	uint32_t state[8];
	uint8_t block[64];
	uint64_t length;
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t length);
void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);
