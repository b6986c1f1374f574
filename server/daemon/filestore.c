#include "server/daemon/filestore.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

#define PIECE ((size_t)256 * 1024)

static char *dir_of(const char *path)
{
	return xstrndup(path, (size_t)(strrchr(path, '/') - path));
}

/* Copy at most size + 1 bytes and hash them on the way. */
static int copy_hashed(int from, int to, const char *path, int64_t size, char hash[SHA256_HEX],
                       struct err *err)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	SCOPED_MEM buf = xcalloc(1, PIECE);
	int64_t done = 0;
	ssize_t n;

	(void)crypto_hash_sha256_init(&state);
	while ((n = read(from, buf, PIECE)) > 0) {
		done += n;
		if (done > size)
			return err_set(err, ERR_INVALID, "%s has more than %lld bytes", path,
			               (long long)size);
		(void)crypto_hash_sha256_update(&state, buf, (unsigned long long)n);
		if (fs_write_all(to, buf, (size_t)n, err) < 0)
			return -1;
	}
	if (n < 0)
		return err_errno(err, ERR_IO, "%s", path);
	if (done != size)
		return err_set(err, ERR_INVALID, "%s has %lld bytes, not %lld", path,
		               (long long)done, (long long)size);
	(void)crypto_hash_sha256_final(&state, digest);
	(void)sodium_bin2hex(hash, SHA256_HEX, digest, sizeof(digest));
	return 0;
}

static int copy_to(const char *from, const char *tmp, const char *sha256, int64_t size,
                   struct err *err)
{
	/* Should it be a pipe: nobody waits for its other end. */
	SCOPED_FD in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	SCOPED_FD out = -1;
	char hash[SHA256_HEX];

	if (in < 0)
		return err_errno(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s", from);
	out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (out < 0)
		return err_errno(err, ERR_IO, "%s", tmp);
	if (copy_hashed(in, out, from, size, hash, err) < 0)
		return -1;
	if (strcmp(hash, sha256) != 0)
		return err_set(err, ERR_INVALID, "%s has the SHA-256 %s, not %s", from, hash,
		               sha256);
	return fsync(out) == 0 ? 0 : err_errno(err, ERR_IO, "%s", tmp);
}

int filestore_copy(const char *state_dir, const char *from, const char *sha256, int64_t size,
                   struct err *err)
{
	SCOPED_STR path = upload_path(state_dir, sha256);
	SCOPED_STR dir = dir_of(path);
	SCOPED_STR tmp = xasprintf("%s.copy", path);

	if (access(path, F_OK) == 0)
		return 0;
	if (fs_mkdirs(dir, err) < 0)
		return -1;
	if (copy_to(from, tmp, sha256, size, err) < 0) {
		(void)unlink(tmp);
		return -1;
	}
	if (rename(tmp, path) < 0)
		return err_errno(err, ERR_IO, "%s", path);
	return fs_sync_parent(path, err);
}

int filestore_text(const char *state_dir, const char *text, const char *sha256, struct err *err)
{
	SCOPED_STR path = upload_path(state_dir, sha256);
	SCOPED_STR dir = dir_of(path);

	if (access(path, F_OK) == 0)
		return 0;
	if (fs_mkdirs(dir, err) < 0)
		return -1;
	return fs_replace_file(path, text, strlen(text), 0640, err);
}
