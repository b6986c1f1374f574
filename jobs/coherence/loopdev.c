#include "loopdev.h"

#include "ctx.h"
#include "ledger.h"
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define LOOP_MAJOR      7U
#define ATTACH_ATTEMPTS 16U
#define REMOVE_ATTEMPTS 200U
#define REMOVE_PAUSE_NS 10000000L
#define LOOPS_MAX       64U

static int open_control(void)
{
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	dev_t device;

	if (fd >= 0 || node_misc("loop-control", &device) < 0)
		return fd;
	return node_open(S_IFCHR, device, O_RDWR);
}

static dev_t loop_device(unsigned int number)
{
	char name[24];
	dev_t device;

	(void)snprintf(name, sizeof(name), "loop%u", number);
	return node_block(name, &device) == 0 ? device : makedev(LOOP_MAJOR, number);
}

/* Attach backing and make the device clear itself, in one call where the kernel has it. */
static int configure(int fd, int backing)
{
	struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};
	struct loop_config config = {.fd = (uint32_t)backing, .info = info};

	if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOTTY)
		return -1;
	if (ioctl(fd, LOOP_SET_FD, backing) < 0)
		return -1;
	return ioctl(fd, LOOP_SET_STATUS64, &info);
}

/* One attempt at the device that the kernel says is free. */
static int attach_once(struct ctx *ctx, int control, int backing, struct loop *loop)
{
	struct ledger_entry *entry = ledger_add(ctx->ledger, LEDGER_LOOP);
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	struct stat file;
	dev_t device;
	int error;

	if (entry == NULL || number < 0 || fstat(backing, &file) < 0)
		return -1;
	entry->device = file.st_dev;
	entry->inode = file.st_ino;
	entry->loop = (unsigned int)number;
	device = loop_device(entry->loop);
	loop->number = entry->loop;
	loop->major = major(device);
	loop->minor = minor(device);
	loop->fd = node_open(S_IFBLK, device, O_RDWR);
	if (loop->fd >= 0 && configure(loop->fd, backing) == 0)
		return 0;
	error = errno;
	if (loop->fd >= 0)
		(void)close(loop->fd);
	entry->kind = LEDGER_FREE;
	errno = error;
	return -1;
}

int loop_attach(struct ctx *ctx, int backing, struct loop *loop)
{
	int control = open_control();
	int result = -1;

	int error;

	if (control < 0)
		return -1;
	/* Another program may take the free device between the question and the answer. */
	for (unsigned int i = 0; i < ATTACH_ATTEMPTS && result < 0; i++) {
		result = attach_once(ctx, control, backing, loop);
		if (result < 0 && errno != EBUSY)
			break;
	}
	error = errno;
	(void)close(control);
	errno = error;
	return result;
}

/* 1: the device is over that file; 0: it is not. */
static int is_over(int fd, uint64_t device, uint64_t inode)
{
	struct loop_info64 info;

	if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return 0;
	return info.lo_device == device && info.lo_inode == inode;
}

static int clear_until_free(int fd, uint64_t device, uint64_t inode)
{
	struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NS};

	for (unsigned int i = 0; i < REMOVE_ATTEMPTS; i++) {
		if (!is_over(fd, device, inode))
			return 0;
		/* With other users it only becomes self-clearing; they end with the test. */
		(void)ioctl(fd, LOOP_CLR_FD);
		(void)nanosleep(&pause, NULL);
	}
	return -1;
}

int loop_remove(unsigned int number, uint64_t device, uint64_t inode)
{
	int fd = node_open(S_IFBLK, loop_device(number), O_RDONLY);
	int result;

	if (fd < 0)
		return errno == ENXIO || errno == ENODEV ? 0 : -1;
	result = clear_until_free(fd, device, inode);
	(void)close(fd);
	return result;
}

unsigned int loop_remove_matching(int (*wanted)(const char *name, void *context), void *context)
{
	unsigned int removed = 0;

	for (unsigned int number = 0; number < LOOPS_MAX; number++) {
		char path[96];
		char backing[160] = "";
		FILE *file;
		int fd;

		(void)snprintf(path, sizeof(path), "/sys/block/loop%u/loop/backing_file", number);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fgets(backing, sizeof(backing), file) == NULL)
			backing[0] = '\0';
		(void)fclose(file);
		if (!wanted(backing, context))
			continue;
		fd = node_open(S_IFBLK, loop_device(number), O_RDONLY);
		if (fd >= 0 && ioctl(fd, LOOP_CLR_FD) == 0)
			removed++;
		if (fd >= 0)
			(void)close(fd);
	}
	return removed;
}
