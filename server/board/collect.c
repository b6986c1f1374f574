#include "server/board/collect.h"

#include "common/fsio.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/board/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND    1000000
#define GET_LIMIT (30 * SECOND)
#define TRIES_MAX 3
#define WORTH     (1 << 20) /* so many new bytes make a transfer that broke off one that went well */

void collect_init(struct collect *c, struct remote *remote)
{
	*c = (struct collect){.remote = remote, .fd = -1};
}

static void close_file(struct collect *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c->name);
	free(c->tmp);
	c->name = c->tmp = NULL;
	c->fd = -1;
	c->file = NULL;
	c->tries = 0;
}

void collect_forget(struct collect *c, bool session_gone)
{
	if (c->op && !session_gone)
		c->remote->class->drop(c->remote, c->op);
	c->op = NULL;
	c->ended = false;
	close_file(c);
}

void collect_release(struct collect *c)
{
	collect_forget(c, true);
}

static enum collect_result failed(struct collect *c, enum err_kind kind, const char *why)
{
	(void)err_set(&c->err, kind, "%s: %s", c->what, why);
	if (c->fd >= 0)
		(void)unlink(c->tmp);
	collect_forget(c, false);
	return COLLECT_FAILED;
}

/* --- a transfer --- */

static void on_data(void *arg, const char *data, size_t len)
{
	struct collect *c = arg;
	uint64_t size = (uint64_t)c->file->size;
	uint64_t room = size - c->have;
	size_t keep = len < room ? len : (size_t)room;

	if (c->ended || c->disk_err.kind != ERR_NONE)
		return;
	if (fs_write_all(c->fd, data, keep, &c->disk_err) < 0)
		return;
	(void)crypto_hash_sha256_update(&c->hash, (const unsigned char *)data, keep);
	c->have += keep;
	if (len > keep) {
		c->ended = true;
		(void)err_set(&c->op_err, ERR_TOOBIG,
		              "it is longer than the %" PRId64 " bytes that were said",
		              c->file->size);
	}
	c->progress(c->arg, c->what, c->have, size);
}

static void on_done(void *arg, const struct err *err)
{
	struct collect *c = arg;

	c->op = NULL;
	if (c->ended)
		return;
	c->ended = true;
	c->op_err = err ? *err : (struct err){0};
}

static void begin(struct collect *c, const struct attempt_file *file)
{
	struct remote_get get = {
		.path = file->path,
		.offset = c->have,
		.limit_us = GET_LIMIT,
		.data = on_data,
		.done = on_done,
		.arg = c,
	};

	c->ended = false;
	c->disk_err = (struct err){0};
	c->op_began = c->have;
	c->op = c->remote->class->get(c->remote, &get);
}

/* --- the file --- */

static int disk_failed(struct collect *c)
{
	return err_errno(&c->disk_err, ERR_IO, "the farm's disk: %s", c->tmp);
}

static int start_over(struct collect *c)
{
	c->have = 0;
	c->resumed = false;
	(void)crypto_hash_sha256_init(&c->hash);
	return ftruncate(c->fd, 0) < 0 || lseek(c->fd, 0, SEEK_SET) < 0 ? disk_failed(c) : 0;
}

/* Hash what an earlier transfer left in the temporary file; the next byte goes behind it. */
static int take_rest(struct collect *c)
{
	static unsigned char data[65536];
	ssize_t n;

	c->have = 0;
	(void)crypto_hash_sha256_init(&c->hash);
	while ((n = read(c->fd, data, sizeof(data))) > 0) {
		(void)crypto_hash_sha256_update(&c->hash, data, (unsigned long long)n);
		c->have += (uint64_t)n;
	}
	if (n < 0)
		return disk_failed(c);
	c->resumed = c->have > 0;
	return c->have > (uint64_t)c->file->size ? start_over(c) : 0;
}

static bool is_there(const struct collect *c)
{
	char hash[SHA256_HEX];

	return sha256_file(c->name, hash, NULL, NULL) == 0 && strcmp(hash, c->file->sha256) == 0;
}

/* Returns whether it is there already. */
static bool open_file(struct collect *c, const char *dir, const char *what,
                      const struct attempt_file *file)
{
	SCOPED_STR files = xasprintf("%s/files", dir);

	c->file = file;
	c->what = what;
	c->disk_err = (struct err){0};
	c->name = xasprintf("%s/%s", files, file->sha256);
	c->tmp = xasprintf("%s.part", c->name);
	if (is_there(c))
		return true;
	if (fs_mkdirs(files, &c->disk_err) < 0)
		return false;
	c->fd = open(c->tmp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (c->fd < 0)
		(void)disk_failed(c);
	else
		(void)take_rest(c);
	return false;
}

static int put_in_place(struct collect *c)
{
	if (fsync(c->fd) < 0 || rename(c->tmp, c->name) < 0)
		return disk_failed(c);
	return fs_sync_parent(c->name, &c->disk_err);
}

/* It ended where the board says that the file ends. */
static enum collect_result whole(struct collect *c, const struct attempt_file *file)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[SHA256_HEX], why[200];

	if (c->have < (uint64_t)file->size) {
		(void)snprintf(why, sizeof(why),
		               "it ends behind %" PRIu64 " of the %" PRId64 " bytes that were said",
		               c->have, file->size);
		return failed(c, ERR_PROTOCOL, why);
	}
	(void)crypto_hash_sha256_final(&c->hash, hash);
	(void)sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	if (strcmp(hex, file->sha256) == 0) {
		if (put_in_place(c) < 0)
			return failed(c, ERR_IO, c->disk_err.text);
		collect_forget(c, false);
		return COLLECT_HAVE;
	}
	if (c->resumed && start_over(c) == 0) {
		begin(c, file);
		return COLLECT_BUSY;
	}
	(void)snprintf(why, sizeof(why), "its SHA-256 is %s, and not what was said", hex);
	return failed(c, ERR_PROTOCOL, why);
}

static enum collect_result after(struct collect *c, const struct attempt_file *file)
{
	enum err_kind kind = c->op_err.kind;

	c->ended = false;
	if (kind == ERR_NONE)
		return whole(c, file);
	if (kind == ERR_CLOSED) { /* the session went away under it; the next one goes on */
		collect_forget(c, true);
		return COLLECT_BUSY;
	}
	if (c->have - c->op_began >= WORTH)
		c->tries = 0;
	if (++c->tries >= TRIES_MAX || kind == ERR_TIMEOUT || kind == ERR_TOOBIG)
		return failed(c, c->op_err.kind, c->op_err.text);
	c->resumed |= c->have > 0;
	begin(c, file);
	return COLLECT_BUSY;
}

enum collect_result collect_step(struct collect *c, const char *dir, const char *what,
                                 const struct attempt_file *file)
{
	if (c->file && c->disk_err.kind != ERR_NONE)
		return failed(c, ERR_IO, c->disk_err.text);
	if (c->ended)
		return after(c, file);
	if (c->op)
		return COLLECT_BUSY;
	if (open_file(c, dir, what, file)) {
		collect_forget(c, false);
		return COLLECT_HAVE;
	}
	if (c->disk_err.kind != ERR_NONE)
		return failed(c, ERR_IO, c->disk_err.text);
	begin(c, file);
	return COLLECT_BUSY;
}
