#include "disk.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "snap.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK  4096u /* what a private disk keeps in one piece */
#define DIGEST 32u

struct disk {
	int fd; /* owned */
	enum disk_mode mode;
	uint64_t bytes;
	uint8_t **kept; /* of a private disk: a block that was written, or NULL */
};

static uint64_t blocks_of(const struct disk *disk)
{
	return (disk->bytes + BLOCK - 1) / BLOCK;
}

static int check_size(const char *path, const struct stat *st, uint32_t unit, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_INVALID, "%s: not a plain file", path);
	if (st->st_size == 0 || st->st_size % unit != 0)
		return err_set(err, ERR_INVALID,
		               "%s: %jd bytes; a multiple of %u is needed, and not 0", path,
		               (intmax_t)st->st_size, unit);
	return 0;
}

struct disk *disk_open(const char *path, enum disk_mode mode, uint32_t unit, struct err *err)
{
	SCOPED_FD fd = open(path, (mode == DISK_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct disk *disk;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_errno(err, ERR_IO, "%s", path);
		return NULL;
	}
	if (check_size(path, &st, unit, err) < 0)
		return NULL;
	disk = xcalloc(1, sizeof(*disk));
	disk->fd = take_fd(&fd);
	disk->mode = mode;
	disk->bytes = (uint64_t)st.st_size;
	if (mode == DISK_PRIVATE)
		disk->kept = xcalloc(blocks_of(disk), sizeof(*disk->kept));
	return disk;
}

static void forget_kept(struct disk *disk)
{
	for (uint64_t n = 0; disk->kept && n < blocks_of(disk); n++) {
		free(disk->kept[n]);
		disk->kept[n] = NULL;
	}
}

void disk_close(struct disk *disk)
{
	if (!disk)
		return;
	forget_kept(disk);
	free(disk->kept);
	(void)close(disk->fd);
	free(disk);
}

uint64_t disk_bytes(const struct disk *disk)
{
	return disk->bytes;
}

bool disk_read_only(const struct disk *disk)
{
	return disk->mode == DISK_READ_ONLY;
}

static bool is_inside(const struct disk *disk, uint64_t offset, uint32_t len)
{
	return offset <= disk->bytes && len <= disk->bytes - offset;
}

/* A file that somebody cut short reads as zeros behind its end. */
static bool read_file(const struct disk *disk, uint64_t offset, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = pread(disk->fd, bytes, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0) {
			memset(bytes, 0, len);
			return true;
		}
		bytes += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static bool write_file(const struct disk *disk, uint64_t offset, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = pwrite(disk->fd, bytes, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

/* How many of len bytes at offset are in its block. */
static uint32_t in_block(uint64_t offset, uint32_t len)
{
	uint32_t room = BLOCK - (uint32_t)(offset % BLOCK);

	return len < room ? len : room;
}

bool disk_read(struct disk *disk, uint64_t offset, void *bytes, uint32_t len)
{
	uint8_t *to = bytes;

	if (!is_inside(disk, offset, len))
		return false;
	if (!disk->kept)
		return read_file(disk, offset, to, len);
	while (len > 0) {
		const uint8_t *block = disk->kept[offset / BLOCK];
		uint32_t part = in_block(offset, len);

		if (block)
			memcpy(to, block + offset % BLOCK, part);
		else if (!read_file(disk, offset, to, part))
			return false;
		to += part;
		offset += part;
		len -= part;
	}
	return true;
}

/* The block that is kept, made from the file if it is not yet. NULL when the file fails. */
static uint8_t *block_to_write(struct disk *disk, uint64_t n)
{
	if (!disk->kept[n]) {
		disk->kept[n] = xcalloc(1, BLOCK);
		if (!read_file(disk, n * BLOCK, disk->kept[n], BLOCK)) {
			free(disk->kept[n]);
			disk->kept[n] = NULL;
		}
	}
	return disk->kept[n];
}

bool disk_write(struct disk *disk, uint64_t offset, const void *bytes, uint32_t len)
{
	const uint8_t *from = bytes;

	if (!is_inside(disk, offset, len) || disk->mode == DISK_READ_ONLY)
		return false;
	if (!disk->kept)
		return write_file(disk, offset, from, len);
	while (len > 0) {
		uint8_t *block = block_to_write(disk, offset / BLOCK);
		uint32_t part = in_block(offset, len);

		if (!block)
			return false;
		memcpy(block + offset % BLOCK, from, part);
		from += part;
		offset += part;
		len -= part;
	}
	return true;
}

bool disk_flush(struct disk *disk)
{
	return disk->mode != DISK_WRITE || fdatasync(disk->fd) == 0;
}

static void digest_file(const struct disk *disk, uint8_t digest[DIGEST])
{
	crypto_generichash_state state;
	uint8_t bytes[16384];

	(void)crypto_generichash_init(&state, NULL, 0, DIGEST);
	for (uint64_t at = 0; at < disk->bytes; at += sizeof(bytes)) {
		uint64_t left = disk->bytes - at;
		size_t len = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);

		if (!read_file(disk, at, bytes, len))
			memset(bytes, 0, len);
		(void)crypto_generichash_update(&state, bytes, len);
	}
	(void)crypto_generichash_final(&state, digest, DIGEST);
}

void disk_snap(struct disk *disk, struct snap *snap)
{
	uint8_t now[DIGEST], saved[DIGEST];

	digest_file(disk, now);
	memcpy(saved, now, sizeof(saved));
	snap_part(snap, "file of the disk");
	SNAP(snap, saved);
	if (!snap_need(snap, memcmp(now, saved, sizeof(now)) == 0))
		return;
	if (snap_loading(snap))
		forget_kept(disk);
	for (uint64_t n = 0; disk->kept && n < blocks_of(disk); n++) {
		bool kept = disk->kept[n] != NULL;

		SNAP(snap, kept);
		if (!kept)
			continue;
		if (!disk->kept[n])
			disk->kept[n] = xcalloc(1, BLOCK);
		snap_bytes(snap, disk->kept[n], BLOCK);
	}
}
