#include "common/sha256.h"

#include "common/err.h"
#include "common/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(hash, data, len);
	(void)sodium_bin2hex(out, SHA256_HEX, hash, sizeof(hash));
}

int sha256_file(const char *path, char out[SHA256_HEX], uint64_t *size, struct err *err)
{
	SCOPED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char hash[crypto_hash_sha256_BYTES], block[16384];
	crypto_hash_sha256_state state;
	uint64_t total = 0;

	if (fd < 0)
		return err_errno(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s", path);
	(void)crypto_hash_sha256_init(&state);
	for (;;) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_IO, "%s", path);
		if (n == 0)
			break;
		total += (uint64_t)n;
		(void)crypto_hash_sha256_update(&state, block, (unsigned long long)n);
	}
	(void)crypto_hash_sha256_final(&state, hash);
	(void)sodium_bin2hex(out, SHA256_HEX, hash, sizeof(hash));
	if (size)
		*size = total;
	return 0;
}

bool sha256_valid(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}
