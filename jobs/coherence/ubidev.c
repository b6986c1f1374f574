#include "ubidev.h"

#include "block.h"
#include "borrowed.h"
#include "ctx.h"
#include "ledger.h"
#include "node.h"
#include "sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <mtd/mtd-user.h>
#include <mtd/ubi-user.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* We ask for this number (of 0 to 31), so that a later run knows what is ours. */
#define UBI_NUMBER 30
#define UBI        "/sys/class/ubi/ubi30"
#define VOLUME     UBI "_0"
#define BLOCK_NAME "ubiblock30_0"
/* Where UBI puts its second header is written into the first, at the start of each erase block. Nobody else asks for
 * this place, so the first header says that it is ours. */
#define VID_OFFSET      1984
#define EC_HEADER_BYTES 64
#define EC_VID_OFFSET   16                /* big-endian */
#define ERASE_STEP      ((off_t)64 << 10) /* mtdram has erase blocks of 128 KiB, unless told otherwise */

#define RAM_ERASED 0xff

#define REMOVE_ATTEMPTS 200U
#define REMOVE_PAUSE_NS 10000000L

/* Open the character device whose number the file says. Returns it, or -1 with errno. */
static int open_by(const char *file, int flags)
{
	char text[24];
	unsigned int numbers[2] = {0};
	char *next = text;

	if (sysfile_read(file, text, sizeof(text)) < 0)
		return -1;
	numbers[0] = (unsigned int)strtoul(text, &next, 10);
	if (*next == ':')
		numbers[1] = (unsigned int)strtoul(next + 1, NULL, 10);
	return node_open(S_IFCHR, makedev(numbers[0], numbers[1]), flags);
}

static int open_control(void)
{
	dev_t device;

	if (node_misc("ubi_ctrl", &device) < 0)
		return -1;
	return node_open(S_IFCHR, device, O_RDONLY);
}

/* Call ioctl on the device that file names. */
static int call(const char *file, int flags, unsigned long request, void *argument)
{
	int fd = open_by(file, flags);
	int result;
	int error;

	if (fd < 0)
		return -1;
	result = ioctl(fd, request, argument);
	error = errno;
	(void)close(fd);
	errno = error;
	return result;
}

/* UBI would make its own of whatever is not erased. */
static int check_blank(const char *name)
{
	uint8_t page[PAGE_BYTES];
	ssize_t done;
	dev_t device;
	int fd;

	if (node_block(name, &device) < 0)
		return -1;
	fd = node_open(S_IFBLK, device, O_RDONLY | O_EXCL);
	if (fd < 0)
		return -1;
	while ((done = read(fd, page, sizeof(page))) > 0) {
		if (page[0] != RAM_ERASED || memcmp(page, page + 1, (size_t)done - 1) != 0)
			break;
	}
	(void)close(fd);
	errno = EBUSY;
	return done == 0 ? 0 : -1;
}

static int attach(unsigned int mtd)
{
	struct ubi_attach_req request = {
		.ubi_num = UBI_NUMBER,
		.mtd_num = (int32_t)mtd,
		.vid_hdr_offset = VID_OFFSET,
	};
	int control = open_control();
	int result;
	int error;

	if (control < 0)
		return -1;
	result = ioctl(control, UBI_IOCATT, &request);
	error = errno == EEXIST ? EBUSY : errno;
	(void)close(control);
	errno = error;
	return result < 0 ? -1 : 0;
}

static int make_volume(const char *label, size_t bytes)
{
	struct ubi_mkvol_req request = {
		.vol_id = 0,
		.alignment = 1,
		.bytes = (int64_t)bytes,
		.vol_type = UBI_DYNAMIC_VOLUME,
		.name_len = (int16_t)strlen(label),
	};

	(void)snprintf(request.name, sizeof(request.name), "%s", label);
	return call(UBI "/dev", O_RDONLY, UBI_IOCMKVOL, &request);
}

/* The new content must be written through the descriptor that announced it. */
static int write_volume(const void *content, size_t bytes)
{
	int64_t announced = (int64_t)bytes;
	int fd = open_by(VOLUME "/dev", O_RDWR);
	size_t written = 0;
	int result = -1;
	int error;

	if (fd < 0)
		return -1;
	if (ioctl(fd, UBI_IOCVOLUP, &announced) == 0) {
		while (written < bytes) {
			ssize_t done =
				write(fd, (const uint8_t *)content + written, bytes - written);

			if (done <= 0)
				break;
			written += (size_t)done;
		}
		result = written == bytes ? 0 : -1;
	}
	error = errno;
	(void)close(fd);
	errno = error;
	return result;
}

static int build(struct ctx *ctx, unsigned int mtd, const void *content, size_t bytes)
{
	struct ubi_blkcreate_req request = {{0}};

	if (attach(mtd) < 0 || make_volume(ctx->ledger->label, bytes) < 0 ||
	    write_volume(content, bytes) < 0)
		return -1;
	return call(VOLUME "/dev", O_RDWR, UBI_IOCVOLCRBLK, &request);
}

int ubi_open(struct ctx *ctx, const void *content, size_t bytes, dev_t *device)
{
	struct ledger_entry *entry = ledger_add(ctx->ledger, LEDGER_FREE);
	char name[32];
	dev_t control;

	if (node_misc("ubi_ctrl", &control) < 0 || borrowed_mtdram(name) < 0 ||
	    check_blank(name) < 0)
		return -1;
	if (entry == NULL) {
		errno = ENOSPC;
		return -1;
	}
	entry->loop = (unsigned int)strtoul(name + strlen("mtdblock"), NULL, 10);
	entry->kind = LEDGER_UBI;
	if (build(ctx, entry->loop, content, bytes) < 0)
		return -1;
	return node_block(BLOCK_NAME, device);
}

static int erase(unsigned int mtd)
{
	struct erase_info_user all = {.start = 0};
	uint64_t bytes = 0;
	char path[48];

	(void)snprintf(path, sizeof(path), "/sys/class/mtd/mtd%u/size", mtd);
	if (sysfile_number(path, &bytes) < 0)
		return -1;
	all.length = (uint32_t)bytes;
	(void)snprintf(path, sizeof(path), "/sys/class/mtd/mtd%u/dev", mtd);
	return call(path, O_RDWR, MEMERASE, &all);
}

/* One attempt; the last user of the block device may still be on its way out. */
static int detach(int control)
{
	int32_t number = UBI_NUMBER;

	if (access(VOLUME, F_OK) == 0)
		(void)call(VOLUME "/dev", O_RDWR, UBI_IOCVOLRMBLK, NULL);
	return ioctl(control, UBI_IOCDET, &number);
}

int ubi_remove(unsigned int mtd)
{
	struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NS};
	int control = open_control();

	if (control < 0)
		return -1;
	for (unsigned int i = 0; i < REMOVE_ATTEMPTS && access(UBI, F_OK) == 0; i++) {
		if (detach(control) < 0)
			(void)nanosleep(&pause, NULL);
	}
	(void)close(control);
	return access(UBI, F_OK) == 0 ? -1 : erase(mtd);
}

/* True when the open device has an erase block that UBI wrote for us. */
static bool has_mark(int fd)
{
	uint8_t header[EC_HEADER_BYTES];

	for (off_t at = 0; pread(fd, header, sizeof(header), at) == (ssize_t)sizeof(header);
	     at += ERASE_STEP) {
		unsigned int offset =
			(unsigned int)header[EC_VID_OFFSET + 2] << 8 | header[EC_VID_OFFSET + 3];

		if (memcmp(header, "UBI#", 4) == 0 && offset == VID_OFFSET)
			return true;
	}
	return false;
}

/* A runner that was killed between taking UBI off and erasing has left nothing but what is in mtdram. */
static unsigned int erase_marked(void)
{
	char name[32];
	bool marked;
	dev_t device;
	int fd;

	if (borrowed_mtdram(name) < 0 || node_block(name, &device) < 0)
		return 0;
	fd = node_open(S_IFBLK, device, O_RDONLY | O_EXCL);
	if (fd < 0)
		return 0;
	marked = has_mark(fd);
	(void)close(fd);
	return marked && erase((unsigned int)strtoul(name + strlen("mtdblock"), NULL, 10)) == 0 ? 1
	                                                                                        : 0;
}

unsigned int ubi_remove_matching(int (*wanted)(const char *name, void *context), void *context)
{
	char label[LEDGER_NAME_MAX] = "";
	uint64_t mtd;

	if (sysfile_number(UBI "/mtd_num", &mtd) < 0)
		return erase_marked();
	/* Without a volume its maker was killed just after attaching: the number alone says that it is ours. */
	if (sysfile_read(VOLUME "/name", label, sizeof(label)) == 0 && !wanted(label, context))
		return 0;
	return ubi_remove((unsigned int)mtd) == 0 ? 1U : 0U;
}
