#include "server/daemon/http/upload.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_S 30
#define OLD_US (24 * 3600 * INT64_C(1000000))

struct upload {
	struct upload *next; /* in the list of those that write; under mutex */
	char sha256[SHA256_HEX];
	char *part, *path; /* owned */
	int fd;            /* owned */
	int64_t received;
	bool whole_hash; /* hash has seen every byte */
	crypto_hash_sha256_state hash;
};

/* One writer a file, over the whole program: the list of uploads that are being written. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct upload *writers;

static bool writer_there(const char *sha256)
{
	for (const struct upload *u = writers; u; u = u->next)
		if (strcmp(u->sha256, sha256) == 0)
			return true;
	return false;
}

static int lock_take(struct upload *u, struct err *err)
{
	struct timespec at;
	int rc = 0;

	(void)clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += WAIT_S;
	(void)pthread_mutex_lock(&mutex);
	while (writer_there(u->sha256) && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&ended, &mutex, &at);
	if (rc != ETIMEDOUT) {
		u->next = writers;
		writers = u;
	}
	(void)pthread_mutex_unlock(&mutex);
	if (rc == ETIMEDOUT)
		return err_set(err, ERR_TIMEOUT, "another client is uploading %s", u->sha256);
	return 0;
}

static void lock_give(struct upload *u)
{
	struct upload **link = &writers;

	(void)pthread_mutex_lock(&mutex);
	while (*link && *link != u)
		link = &(*link)->next;
	if (*link)
		*link = u->next;
	(void)pthread_cond_broadcast(&ended);
	(void)pthread_mutex_unlock(&mutex);
}

static char *part_path(const char *state_dir, const char *sha256)
{
	return xasprintf("%s/files/incoming/%s.part", state_dir, sha256);
}

char *upload_path(const char *state_dir, const char *sha256)
{
	return xasprintf("%s/files/%.2s/%s", state_dir, sha256, sha256);
}

int64_t upload_size(const char *state_dir, const char *sha256)
{
	SCOPED_STR path = part_path(state_dir, sha256);
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

static int part_open(struct upload *u, int64_t offset, bool fresh, int64_t *received,
                     struct err *err)
{
	struct stat st;

	u->fd = open(u->part, O_RDWR | O_CREAT | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0640);
	if (u->fd < 0 || fstat(u->fd, &st) < 0)
		return err_errno(err, ERR_IO, "%s", u->part);
	*received = u->received = st.st_size;
	if (st.st_size != offset)
		return err_set(err, ERR_CONFLICT,
		               "the part begins at %lld, but %lld bytes are there",
		               (long long)offset, (long long)st.st_size);
	if (lseek(u->fd, 0, SEEK_END) < 0)
		return err_errno(err, ERR_IO, "%s", u->part);
	u->whole_hash = offset == 0;
	(void)crypto_hash_sha256_init(&u->hash);
	return 0;
}

struct upload *upload_begin(const char *state_dir, const char *sha256, int64_t offset, bool fresh,
                            int64_t *received, struct err *err)
{
	struct upload *u = xcalloc(1, sizeof(*u));

	u->fd = -1;
	(void)snprintf(u->sha256, sizeof(u->sha256), "%s", sha256);
	u->part = part_path(state_dir, sha256);
	u->path = upload_path(state_dir, sha256);
	*received = 0;
	if (lock_take(u, err) < 0 || part_open(u, offset, fresh, received, err) < 0) {
		upload_end(u);
		return NULL;
	}
	return u;
}

void upload_drop(struct upload *u)
{
	(void)unlink(u->part);
}

int upload_write(struct upload *u, const void *data, size_t len, struct err *err)
{
	if (fs_write_all(u->fd, data, len, err) < 0) {
		if (err->kind == ERR_NOSPACE) {
			upload_drop(u);
		}
		return err_context(err, "%s", u->part);
	}
	if (u->whole_hash)
		(void)crypto_hash_sha256_update(&u->hash, data, len);
	u->received += (int64_t)len;
	return 0;
}

int upload_restart(struct upload *u, struct err *err)
{
	if (ftruncate(u->fd, 0) < 0 || lseek(u->fd, 0, SEEK_SET) < 0)
		return err_errno(err, ERR_IO, "%s", u->part);
	u->received = 0;
	u->whole_hash = true;
	(void)crypto_hash_sha256_init(&u->hash);
	return 0;
}

int64_t upload_received(const struct upload *u)
{
	return u->received;
}

static int hash_check(struct upload *u, struct err *err)
{
	unsigned char raw[crypto_hash_sha256_BYTES];
	char hex[SHA256_HEX];

	if (u->whole_hash) {
		(void)crypto_hash_sha256_final(&u->hash, raw);
		(void)sodium_bin2hex(hex, sizeof(hex), raw, sizeof(raw));
	} else if (sha256_file(u->part, hex, NULL, err) < 0) {
		return -1;
	}
	if (strcmp(hex, u->sha256) == 0)
		return 0;
	(void)unlink(u->part);
	return err_set(err, ERR_INVALID, "the content's SHA-256 is %s: nothing is kept", hex);
}

/* The directory must be on disk before the name in it is. */
static int dir_make(const char *path, struct err *err)
{
	SCOPED_STR dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	if (mkdir(dir, 0750) == 0)
		return fs_sync_parent(dir, err);
	return errno == EEXIST ? 0 : err_errno(err, ERR_IO, "%s", dir);
}

int upload_finish(struct upload *u, struct err *err)
{
	if (hash_check(u, err) < 0 || dir_make(u->path, err) < 0)
		return -1;
	if (fsync(u->fd) < 0 || rename(u->part, u->path) < 0)
		return err_errno(err, ERR_IO, "%s", u->path);
	return fs_sync_parent(u->path, err);
}

void upload_end(struct upload *u)
{
	if (!u)
		return;
	if (u->fd >= 0)
		(void)close(u->fd);
	lock_give(u);
	free(u->part);
	free(u->path);
	free(u);
}

int upload_open(const char *state_dir, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/files/incoming", state_dir);

	return fs_mkdirs(path, err);
}

static void part_purge(int dir, const char *name, int64_t now_us)
{
	struct stat st;
	SCOPED_STR sha256 = xstrndup(name, SHA256_HEX - 1);

	/* Under the mutex, so that no request begins to write it meanwhile. */
	(void)pthread_mutex_lock(&mutex);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    (int64_t)st.st_mtime * 1000000 <= now_us - OLD_US && !writer_there(sha256)) {
		log_info("dropping the old part %s", name);
		(void)unlinkat(dir, name, 0);
	}
	(void)pthread_mutex_unlock(&mutex);
}

void upload_purge(const char *state_dir, int64_t now_us)
{
	SCOPED_STR path = xasprintf("%s/files/incoming", state_dir);
	SCOPED_DIR dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		part_purge(dirfd(dir), entry->d_name, now_us);
}
