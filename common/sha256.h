/* sha256.h - SHA-256 of memory and files as 64 lower-case hex digits (libsodium underneath). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define SHA256_HEX 65 /* with the NUL */

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX]);

/* Hash the file; *size (may be NULL) gets its length. 0, or -1 with *err (ERR_IO, ERR_NOTFOUND). */
int sha256_file(const char *path, char out[SHA256_HEX], uint64_t *size, struct err *err);

/* Is text exactly 64 lower-case hex digits? */
bool sha256_valid(const char *text);
