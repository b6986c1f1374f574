#include "borrowed.h"

#include "block.h"
#include "ctx.h"
#include "ledger.h"
#include "node.h"
#include "sysfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How a kind is known in /sys/block: by the start of its name, and what a file there says. */
static const struct recognise {
	const char *prefix, *file, *text;
} kinds[BORROWED_KINDS] = {
	[BORROWED_BRD] = {"ram", NULL, NULL},
	[BORROWED_SCSI_DEBUG] = {"sd", "device/model", "scsi_debug"},
	[BORROWED_MTDBLOCK] = {"mtdblock", "device/name", "mtdram test device"},
};

static bool is_of_kind(enum borrowed_kind kind, const char *name)
{
	const struct recognise *recognise = &kinds[kind];
	char path[96];
	char text[64];

	if (strncmp(name, recognise->prefix, strlen(recognise->prefix)) != 0 || strlen(name) >= 32)
		return false;
	if (recognise->file == NULL)
		return true;
	(void)snprintf(path, sizeof(path), "/sys/block/%.31s/%s", name, recognise->file);
	return sysfile_read(path, text, sizeof(text)) == 0 &&
	       strncmp(text, recognise->text, strlen(recognise->text)) == 0;
}

/* Call work for each device of kind until it returns 0. Returns what the last call did, or -1 with errno ENODEV. */
static int each(enum borrowed_kind kind, int (*work)(const char *name, void *argument),
                void *argument)
{
	DIR *directory = opendir("/sys/block");
	const struct dirent *found;
	int result = -1;
	int error = ENODEV;

	while (result < 0 && directory != NULL && (found = readdir(directory)) != NULL) {
		if (!is_of_kind(kind, found->d_name))
			continue;
		result = work(found->d_name, argument);
		error = errno;
	}
	if (directory != NULL)
		(void)closedir(directory);
	errno = error;
	return result;
}

static int open_named(const char *name, int flags)
{
	dev_t device;

	if (node_block(name, &device) < 0)
		return -1;
	return node_open(S_IFBLK, device, flags);
}

/* The byte that fills the region and the page behind it, or -1 with errno. */
static int filling(int fd)
{
	uint8_t page[PAGE_BYTES];
	int first = -1;

	for (uint64_t at = 0; at <= BORROWED_BYTES; at += PAGE_BYTES) {
		if (pread(fd, page, sizeof(page), (off_t)at) != (ssize_t)sizeof(page)) {
			errno = EBUSY; /* smaller than that: not for us */
			return -1;
		}
		if (first < 0)
			first = page[0];
		if (page[0] != first || memcmp(page, page + 1, sizeof(page) - 1) != 0) {
			errno = EBUSY;
			return -1;
		}
	}
	return first;
}

/* The page behind the region says whose it is, and ends in what filled the device. */
static int put_label(int fd, const char *label, uint8_t fill)
{
	char page[PAGE_BYTES];

	memset(page, fill, sizeof(page));
	memcpy(page, label, strlen(label) + 1);
	if (pwrite(fd, page, sizeof(page), (off_t)BORROWED_BYTES) != (ssize_t)sizeof(page))
		return -1;
	return fsync(fd);
}

static int borrow(struct ctx *ctx, const char *name, int fd, struct ledger_entry *entry)
{
	int fill = filling(fd);

	if (fill < 0)
		return -1;
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	(void)snprintf(entry->value, sizeof(entry->value), "%d", fill);
	entry->kind = LEDGER_BORROWED;
	return put_label(fd, ctx->ledger->label, (uint8_t)fill);
}

struct wish {
	struct ctx *ctx;
	dev_t device;
};

static int take(const char *name, void *argument)
{
	struct wish *wish = argument;
	struct ledger_entry *entry = ledger_add(wish->ctx->ledger, LEDGER_FREE);
	/* Exclusive: neither mounted nor part of something. */
	int fd = open_named(name, O_RDWR | O_EXCL);
	int result = -1;
	int error;

	if (fd < 0)
		return -1;
	if (entry == NULL)
		errno = ENOSPC;
	else
		result = borrow(wish->ctx, name, fd, entry);
	error = errno;
	(void)close(fd);
	if (result == 0)
		result = node_block(name, &wish->device);
	errno = error;
	return result;
}

int borrowed_take(struct ctx *ctx, enum borrowed_kind kind, dev_t *device)
{
	struct wish wish = {.ctx = ctx};
	int result = each(kind, take, &wish);

	*device = wish.device;
	return result;
}

static int fill_all(int fd, uint8_t fill)
{
	uint8_t page[PAGE_BYTES];

	memset(page, fill, sizeof(page));
	for (uint64_t at = 0; at <= BORROWED_BYTES; at += PAGE_BYTES) {
		if (pwrite(fd, page, sizeof(page), (off_t)at) != (ssize_t)sizeof(page))
			return -1;
	}
	return fsync(fd);
}

int borrowed_give_back(struct ledger_entry *entry)
{
	int fd = open_named(entry->name, O_RDWR);
	int result;

	if (fd < 0)
		return -1;
	result = fill_all(fd, (uint8_t)strtoul(entry->value, NULL, 10));
	(void)close(fd);
	return result;
}

struct search {
	int (*wanted)(const char *name, void *context);
	void *context;
	unsigned int found;
};

/* Always "not yet", so that each device is looked at. */
static int sweep_one(const char *name, void *argument)
{
	struct search *search = argument;
	char page[PAGE_BYTES];
	int fd = open_named(name, O_RDWR | O_EXCL);

	if (fd < 0)
		return -1;
	if (pread(fd, page, sizeof(page), (off_t)BORROWED_BYTES) == (ssize_t)sizeof(page) &&
	    memcmp(page, LEDGER_LABEL, strlen(LEDGER_LABEL)) == 0) {
		uint8_t fill = (uint8_t)page[sizeof(page) - 1];

		page[LEDGER_NAME_MAX] = '\0';
		if (search->wanted(page, search->context) && fill_all(fd, fill) == 0)
			search->found++;
	}
	(void)close(fd);
	return -1;
}

unsigned int borrowed_sweep(int (*wanted)(const char *name, void *context), void *context)
{
	struct search search = {.wanted = wanted, .context = context};

	for (unsigned int kind = 0; kind < BORROWED_KINDS; kind++)
		(void)each((enum borrowed_kind)kind, sweep_one, &search);
	return search.found;
}

static int copy_name(const char *name, void *argument)
{
	(void)snprintf(argument, 32, "%s", name);
	return 0;
}

int borrowed_mtdram(char name[32])
{
	return each(BORROWED_MTDBLOCK, copy_name, name);
}
