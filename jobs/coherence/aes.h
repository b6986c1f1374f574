/* aes.h - AES-128 in CBC and XTS mode, so that the kernel's can be checked. Short, not fast; keeps nothing secret. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define AES_BLOCK_BYTES 16U
#define AES_KEY_BYTES   16U

enum aes_way { AES_DECRYPT, AES_ENCRYPT };

/* Work on bytes (whole blocks) of data in place, in cipher-block chaining. */
void aes_cbc(enum aes_way way, const uint8_t key[AES_KEY_BYTES], const uint8_t iv[AES_BLOCK_BYTES],
             uint8_t *data, size_t bytes);

/* The same in XTS mode; the key is the two keys, one behind the other, and tweak the number of the sector. */
void aes_xts(enum aes_way way, const uint8_t key[2 * AES_KEY_BYTES],
             const uint8_t tweak[AES_BLOCK_BYTES], uint8_t *data, size_t bytes);
