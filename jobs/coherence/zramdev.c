#include "zramdev.h"

#include "ctx.h"
#include "knob.h"
#include "knobfile.h"
#include "ledger.h"
#include "node.h"
#include "sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <time.h>
#include <unistd.h>

#define CONTROL         "/sys/class/zram-control/"
#define ZRAMS_MAX       64U
#define REMOVE_ATTEMPTS 200U
#define REMOVE_PAUSE_NS 10000000L
#define SWAP_PRIORITY   32000 /* before what a board may swap to */

static const uint8_t swap_magic[] = {'S', 'W', 'A', 'P', 'S', 'P', 'A', 'C', 'E', '2'};

static void attribute(char path[64], unsigned int number, const char *name)
{
	(void)snprintf(path, 64, "/sys/block/zram%u/%s", number, name);
}

static int set(unsigned int number, const char *name, const char *value)
{
	char path[64];

	attribute(path, number, name);
	return sysfile_write(path, value);
}

/* Bytes of the device; 0: not in use, or not there. */
static uint64_t size_of(unsigned int number)
{
	char path[64];
	uint64_t bytes = 0;

	attribute(path, number, "disksize");
	return sysfile_number(path, &bytes) < 0 ? 0 : bytes;
}

static int node(unsigned int number, int flags, dev_t *device)
{
	char name[24];

	(void)snprintf(name, sizeof(name), "zram%u", number);
	if (node_block(name, device) < 0)
		return -1;
	return node_open(S_IFBLK, *device, flags);
}

/* A new device, or where the kernel cannot make one the first that nobody uses. Reading the file
 * makes the device. */
static int take_number(struct ledger_entry *entry)
{
	uint64_t number;

	if (access(CONTROL "hot_add", R_OK) == 0) {
		if (sysfile_number(CONTROL "hot_add", &number) < 0)
			return -1;
		entry->loop = (unsigned int)number;
		return 0;
	}
	for (unsigned int i = 0; i < ZRAMS_MAX; i++) {
		char path[64];

		attribute(path, i, "disksize");
		if (access(path, W_OK) == 0 && size_of(i) == 0) {
			entry->loop = i;
			return 0;
		}
	}
	errno = ENODEV;
	return -1;
}

/* Write the label behind the bytes that tests may use. */
static int put_label(const struct ctx *ctx, const struct zram *zram)
{
	char page[PAGE_BYTES] = "";

	(void)snprintf(page, sizeof(page), "%s", ctx->ledger->label);
	if (pwrite(zram->fd, page, sizeof(page), (off_t)zram->bytes) != (ssize_t)sizeof(page))
		return -1;
	return fsync(zram->fd);
}

static int set_up(struct ctx *ctx, struct zram *zram, const char *algorithm)
{
	char text[24];

	if (algorithm != NULL && set(zram->number, "comp_algorithm", algorithm) < 0)
		return -1;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)zram->bytes + PAGE_BYTES);
	if (set(zram->number, "disksize", text) < 0)
		return -1;
	zram->fd = node(zram->number, O_RDWR, &zram->device);
	return zram->fd < 0 ? -1 : put_label(ctx, zram);
}

int zram_open(struct ctx *ctx, struct zram *zram, uint64_t bytes, const char *algorithm)
{
	struct ledger_entry *entry = ledger_add(ctx->ledger, LEDGER_FREE);
	char number[16];
	int error;

	zram->fd = -1;
	zram->bytes = bytes;
	if (entry == NULL) {
		errno = ENOSPC;
		return -1;
	}
	entry->loop = LEDGER_ZRAM_NEW;
	entry->kind = LEDGER_ZRAM;
	if (take_number(entry) < 0) {
		error = errno == ENOENT ? ENODEV : errno;
		entry->kind = LEDGER_FREE;
		errno = error;
		return -1;
	}
	zram->number = entry->loop;
	(void)snprintf(number, sizeof(number), "%u", zram->number);
	knobfile_note(ctx->ledger, KNOB_ZRAM, number);
	if (set_up(ctx, zram, algorithm) == 0)
		return 0;
	error = errno;
	if (zram->fd >= 0)
		(void)close(zram->fd);
	zram->fd = -1;
	if (zram_remove(zram->number) == 0)
		entry->kind = LEDGER_FREE;
	errno = error;
	return -1;
}

/* Offsets are those of union swap_header. */
static void make_swap_header(char page[PAGE_BYTES], uint64_t bytes)
{
	uint32_t header[2] = {1, (uint32_t)(bytes / PAGE_BYTES) - 1U}; /* version, last page */

	memset(page, 0, PAGE_BYTES);
	memcpy(page + 1024, header, sizeof(header));
	memcpy(page + PAGE_BYTES - sizeof(swap_magic), swap_magic, sizeof(swap_magic));
}

/* The kernel wants a name that is still there. */
static int with_path(dev_t device, int (*call)(const char *path))
{
	char path[NODE_PATH_MAX];
	int fd = node_open_named(S_IFBLK, device, O_RDONLY, path);
	int result;
	int error;

	if (fd < 0)
		return -1;
	result = call(path);
	error = errno;
	(void)unlink(path);
	(void)close(fd);
	errno = error;
	return result;
}

static int swap_to(const char *path)
{
	return swapon(path, SWAP_FLAG_PREFER | SWAP_PRIORITY);
}

int zram_swapon(struct zram *zram)
{
	char page[PAGE_BYTES];

	make_swap_header(page, zram->bytes);
	if (pwrite(zram->fd, page, sizeof(page), 0) != (ssize_t)sizeof(page) || fsync(zram->fd) < 0)
		return -1;
	return with_path(zram->device, swap_to);
}

int zram_swapoff(const struct zram *zram)
{
	return with_path(zram->device, swapoff);
}

/* Give the memory back and take the device away, where devices can be made. A device that still has a
 * user is tried again: the last one may be on its way out. */
static int empty_and_remove(unsigned int number)
{
	struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NS};
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", number);
	for (unsigned int i = 0; i < REMOVE_ATTEMPTS; i++) {
		if (set(number, "reset", "1") == 0 || size_of(number) == 0) {
			if (access(CONTROL "hot_remove", W_OK) < 0 ||
			    sysfile_write(CONTROL "hot_remove", text) == 0 || errno == ENODEV)
				return 0;
		}
		(void)nanosleep(&pause, NULL);
	}
	return -1;
}

/* The test was killed while the kernel made its device: the newest one that is empty. */
static int remove_new(void)
{
	for (unsigned int number = ZRAMS_MAX; number-- > 1;) {
		char path[64];

		attribute(path, number, "disksize");
		if (access(path, F_OK) == 0)
			return size_of(number) == 0 ? empty_and_remove(number) : 0;
	}
	return 0;
}

int zram_remove(unsigned int number)
{
	char name[24];
	dev_t device;

	if (number == LEDGER_ZRAM_NEW)
		return access(CONTROL "hot_remove", W_OK) == 0 ? remove_new() : 0;
	(void)snprintf(name, sizeof(name), "zram%u", number);
	if (size_of(number) > 0 && node_block(name, &device) == 0)
		(void)with_path(device, swapoff); /* EINVAL: nobody swaps to it */
	return empty_and_remove(number);
}

int zram_remove_empty(unsigned int number)
{
	char path[64];

	attribute(path, number, "disksize");
	if (number == 0 || access(path, F_OK) < 0 || size_of(number) > 0)
		return -1;
	return empty_and_remove(number);
}

/* What the last page of the device says. */
static int read_label(unsigned int number, char label[LEDGER_NAME_MAX])
{
	uint64_t bytes = size_of(number);
	dev_t device;
	ssize_t done;
	int fd;

	if (bytes < PAGE_BYTES)
		return -1;
	fd = node(number, O_RDONLY, &device);
	if (fd < 0)
		return -1;
	done = pread(fd, label, LEDGER_NAME_MAX - 1U, (off_t)(bytes - PAGE_BYTES));
	(void)close(fd);
	label[done < 0 ? 0 : done] = '\0';
	return done < 0 ? -1 : 0;
}

unsigned int zram_remove_matching(int (*wanted)(const char *name, void *context), void *context)
{
	unsigned int removed = 0;

	for (unsigned int number = 0; number < ZRAMS_MAX; number++) {
		char label[LEDGER_NAME_MAX];

		if (read_label(number, label) == 0 && wanted(label, context) &&
		    zram_remove(number) == 0)
			removed++;
	}
	return removed;
}
