#include "ext2.h"

#include "loopdev.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define BLOCK_BYTES 4096U
#define INODES      128U
#define INODE_BYTES 128U
#define ROOT_INODE  2U
#define GROUP_BITS  (8U * BLOCK_BYTES)

/* The layout, in blocks. */
enum {
	BLOCK_SUPER = 0, /* the superblock is 1024 bytes into it */
	BLOCK_GROUP = 1,
	BLOCK_BLOCK_MAP = 2,
	BLOCK_INODE_MAP = 3,
	BLOCK_INODES = 4,
	BLOCK_ROOT = BLOCK_INODES + (INODES * INODE_BYTES) / BLOCK_BYTES,
	BLOCK_FREE = BLOCK_ROOT + 1,
};

static void put32(uint8_t *at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

/* Offsets are those of struct ext2_super_block, revision 0. */
static void make_super(uint8_t *block)
{
	uint8_t *super = block + 1024;

	put32(super + 0, INODES);
	put32(super + 4, EXT2_BLOCKS);
	put32(super + 12, EXT2_BLOCKS - BLOCK_FREE);
	put32(super + 16, INODES - 10);
	put32(super + 24, 2); /* block size: 1024 << 2 */
	put32(super + 28, 2);
	put32(super + 32, GROUP_BITS);
	put32(super + 36, GROUP_BITS);
	put32(super + 40, INODES);
	put16(super + 54, 0xffff); /* no forced check */
	put16(super + 56, 0xef53); /* the magic number */
	put16(super + 58, 1);      /* clean */
	put16(super + 60, 1);      /* on errors: go on */
}

static void make_group(uint8_t *block)
{
	put32(block + 0, BLOCK_BLOCK_MAP);
	put32(block + 4, BLOCK_INODE_MAP);
	put32(block + 8, BLOCK_INODES);
	put16(block + 12, EXT2_BLOCKS - BLOCK_FREE);
	put16(block + 14, INODES - 10);
	put16(block + 16, 1); /* directories */
}

/* The first used bits are taken, and so are those behind the end. */
static void make_map(uint8_t *block, unsigned int used, unsigned int end)
{
	for (unsigned int bit = 0; bit < GROUP_BITS; bit++) {
		if (bit < used || bit >= end)
			block[bit / 8] |= (uint8_t)(1U << bit % 8);
	}
}

static void make_root_inode(uint8_t *block)
{
	uint8_t *inode = block + (ROOT_INODE - 1) * INODE_BYTES;

	put16(inode + 0, 040755);
	put32(inode + 4, BLOCK_BYTES);
	put16(inode + 26, 2); /* links */
	put32(inode + 28, BLOCK_BYTES / 512);
	put32(inode + 40, BLOCK_ROOT);
}

static void make_root_directory(uint8_t *block)
{
	put32(block + 0, ROOT_INODE);
	put16(block + 4, 12);
	put16(block + 6, 1);
	block[8] = '.';
	put32(block + 12, ROOT_INODE);
	put16(block + 16, BLOCK_BYTES - 12);
	put16(block + 18, 2);
	memcpy(block + 20, "..", 2);
}

static void make_block(unsigned int number, uint8_t *block)
{
	memset(block, 0, BLOCK_BYTES);
	if (number == BLOCK_SUPER)
		make_super(block);
	else if (number == BLOCK_GROUP)
		make_group(block);
	else if (number == BLOCK_BLOCK_MAP)
		make_map(block, BLOCK_FREE, EXT2_BLOCKS);
	else if (number == BLOCK_INODE_MAP)
		make_map(block, 10, INODES);
	else if (number == BLOCK_INODES)
		make_root_inode(block);
	else if (number == BLOCK_ROOT)
		make_root_directory(block);
}

int ext2_make(int fd)
{
	uint8_t block[BLOCK_BYTES];

	if (ftruncate(fd, (off_t)EXT2_BLOCKS * (off_t)BLOCK_BYTES) < 0)
		return -1;
	for (unsigned int number = 0; number < BLOCK_FREE; number++) {
		make_block(number, block);
		if (pwrite(fd, block, BLOCK_BYTES, (off_t)number * (off_t)BLOCK_BYTES) !=
		    (ssize_t)BLOCK_BYTES)
			return -1;
	}
	return 0;
}

/* Mount device over a directory that exists; in our own namespace nobody else sees that. */
static int mount_over(struct ctx *ctx, const char *device)
{
	static const char *const directories[] = {"/mnt", "/tmp", "/run", "/var", "/opt"};
	static const char *const types[] = {"ext2", "ext4"};
	int error = ENODEV;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++) {
			if (mount(device, directories[i], types[j], 0, NULL) == 0) {
				ctx->ext2 = directories[i];
				return 0;
			}
			if (errno != ENOENT)
				error = errno;
		}
	}
	errno = error;
	return -1;
}

static int mount_image(struct ctx *ctx, const struct loop *loop)
{
	char path[40];
	int result;
	int error;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	/* By descriptor: there need not be a node for the device. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", loop->fd);
	result = mount_over(ctx, path);
	error = errno;
	(void)close(loop->fd); /* the mount holds the device */
	errno = error;
	return result;
}

int ext2_mount(struct ctx *ctx, enum reason *reason)
{
	int image = file_on_tmpfs(ctx, 0, 0);
	struct loop loop;

	if (image < 0)
		return -1;
	if (ext2_make(image) < 0)
		return ctx_error(ctx, "making an ext2 image");
	if (loop_attach(ctx, image, &loop) == 0 && mount_image(ctx, &loop) == 0) {
		(void)close(image); /* the loop device holds it */
		return 0;
	}
	*reason = ctx_reason(errno);
	return *reason == REASON_NONE ? ctx_error(ctx, "mounting ext2") : 1;
}

int file_on_ext2(struct ctx *ctx, unsigned int index, off_t bytes)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file%u", ctx->ext2, index);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return ctx_error(ctx, "a file on ext2");
	(void)unlink(path);
	if (ftruncate(fd, bytes) < 0)
		return ctx_error(ctx, "sizing a file on ext2");
	return fd;
}
