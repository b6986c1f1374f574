#include "lowpages.h"

#include "knob.h"
#include "pool.h"
#include "sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COMPACT     "/proc/sys/vm/compact_memory"
#define BLOCK_PAGES 1024U /* the largest unit of compaction that ARM has */
#define CHUNK_PAGES 512U
#define MOST_PAGES  6144U /* 24 MiB */
#define KEEP_PAGES  48U
#define TRIES       4U
#define LEAST_GROWS 3U

/* What was taken from the kernel, and the low ones that were kept of it. */
struct stock {
	uint8_t *pages;
	int fd; /* of their file, or -1 */
	unsigned int left;
	unsigned int kept[KEEP_PAGES]; /* as page numbers, 0 up to left */
};

static struct stock anon = {.fd = -1};
static struct stock file = {.fd = -1};
static uint64_t frames[MOST_PAGES]; /* of the stock that is being filled */
static int compact_file = -1;
static unsigned int least = CHUNK_PAGES; /* to take before choosing */

int low_compact(struct ctx *ctx)
{
	return pwrite(compact_file, "1", 1, 0) == 1 ? 0 : ctx_error(ctx, COMPACT);
}

/* 60 % of what is free. */
static unsigned int pages_allowed(void)
{
	unsigned long kib = 0;
	char line[96];
	FILE *meminfo = fopen("/proc/meminfo", "re");

	while (meminfo != NULL && fgets(line, sizeof(line), meminfo) != NULL) {
		if (strncmp(line, "MemFree:", 8) == 0) {
			kib = strtoul(line + 8, NULL, 10);
			break;
		}
	}
	if (meminfo != NULL)
		(void)fclose(meminfo);
	kib = kib / 5U * 3U / (PAGE_BYTES / 1024U);
	return kib > MOST_PAGES ? MOST_PAGES : (unsigned int)kib;
}

static unsigned int lowest_of(unsigned int count)
{
	unsigned int lowest = MOST_PAGES;

	for (unsigned int i = 0; i < count; i++) {
		if (frames[i] != 0 && (lowest == MOST_PAGES || frames[i] < frames[lowest]))
			lowest = i;
	}
	return lowest;
}

/* Choose the lowest pages of count; their frames become 0. Returns true when enough of the others
 * are in units above all of them. */
static bool choose(struct stock *stock, unsigned int count)
{
	uint64_t top = 0;
	unsigned int above = 0;

	for (stock->left = 0; stock->left < KEEP_PAGES; stock->left++) {
		stock->kept[stock->left] = lowest_of(count);
		top = frames[stock->kept[stock->left]];
		frames[stock->kept[stock->left]] = 0;
	}
	for (unsigned int i = 0; i < count; i++)
		above += frames[i] / BLOCK_PAGES > top / BLOCK_PAGES ? 1U : 0U;
	return above >= KEEP_PAGES;
}

/* Touch pages until some are low compared with others. Returns how many, or 0. */
static unsigned int touch(struct stock *stock, unsigned int allowed)
{
	for (unsigned int count = CHUNK_PAGES; count <= allowed; count += CHUNK_PAGES) {
		for (unsigned int i = count - CHUNK_PAGES; i < count; i++)
			stock->pages[(size_t)i * PAGE_BYTES] = 1;
		page_frames(stock->pages, count, frames);
		if (count >= least && frames[0] != 0 && choose(stock, count))
			return count;
	}
	return 0;
}

static int release(const struct stock *stock, unsigned int from, unsigned int to)
{
	size_t length = (size_t)(to - from) * PAGE_BYTES;
	off_t offset = (off_t)from * (off_t)PAGE_BYTES;

	if (to == from)
		return 0;
	if (munmap(stock->pages + offset, length) < 0)
		return -1;
	return stock->fd < 0 ? 0
	                     : fallocate(stock->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                                 offset, (off_t)length);
}

static int release_rest(struct stock *stock, unsigned int allowed)
{
	unsigned int from = 0;

	for (unsigned int i = 0; i < stock->left; i++) {
		if (mlock(stock->pages + (size_t)stock->kept[i] * PAGE_BYTES, PAGE_BYTES) < 0)
			return -1;
		frames[stock->kept[i]] = 0;
	}
	for (unsigned int i = 0; i < allowed; i++) {
		bool keep = false;

		for (unsigned int j = 0; j < stock->left; j++)
			keep |= stock->kept[j] == i;
		if (!keep)
			continue;
		if (release(stock, from, i) < 0)
			return -1;
		from = i + 1U;
	}
	return release(stock, from, allowed);
}

static int fill(struct ctx *ctx, struct stock *stock, bool is_file)
{
	unsigned int allowed = pages_allowed() / CHUNK_PAGES * CHUNK_PAGES;
	size_t bytes = (size_t)allowed * PAGE_BYTES;
	int flags = is_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

	if (allowed == 0)
		return ctx_skip(ctx, REASON_NO_MEMORY, "too little memory to compact");
	if (stock->fd >= 0)
		(void)close(stock->fd);
	stock->fd = is_file ? file_on_tmpfs(ctx, 0, (off_t)bytes) : -1;
	if (is_file && stock->fd < 0)
		return -1;
	stock->pages =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, stock->fd, 0);
	if (stock->pages == MAP_FAILED)
		return ctx_cannot(ctx, "memory to choose pages from");
	if (touch(stock, allowed) == 0)
		return ctx_skip(ctx, frames[0] == 0 ? REASON_NOPERM : REASON_NO_MEMORY,
		                "no page is low compared with others");
	return release_rest(stock, allowed) < 0 ? ctx_error(ctx, "giving pages back") : 0;
}

static void empty(struct stock *stock)
{
	for (unsigned int i = 0; i < stock->left; i++)
		(void)release(stock, stock->kept[i], stock->kept[i] + 1U);
	stock->left = 0;
}

/* The number of a page that is left and, for a file, can be mapped at va; -1 after an error. */
static int take(struct ctx *ctx, struct stock *stock, bool is_file, const void *va)
{
	for (unsigned int attempt = 0; attempt < 3; attempt++) {
		for (unsigned int i = 0; i < stock->left; i++) {
			unsigned int page = stock->kept[i];

			if (is_file && (page & COLOUR_MASK) != colour_of(va))
				continue;
			stock->kept[i] = stock->kept[--stock->left];
			return (int)page;
		}
		empty(stock);
		if (fill(ctx, stock, is_file) < 0)
			return -1;
	}
	errno = 0;
	return ctx_error(ctx, "no low page of that colour");
}

/* Without a copy: only its entry in the page table moves. */
int low_anon(struct ctx *ctx, struct target *target)
{
	int page = take(ctx, &anon, false, target->va);
	uint8_t *at;

	if (page < 0)
		return -1;
	at = anon.pages + (size_t)page * PAGE_BYTES;
	if (munlock(at, PAGE_BYTES) < 0 ||
	    mremap(at, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, target->va) ==
	            MAP_FAILED)
		return ctx_error(ctx, "taking a low page");
	target->pfn = page_frame(target->va);
	return 0;
}

int low_file(struct ctx *ctx, struct target *target, int prot)
{
	int page = take(ctx, &file, true, target->va);

	if (page < 0)
		return -1;
	target->fd =
		fcntl(file.fd, F_DUPFD_CLOEXEC, 0); /* the stock may have another one next time */
	if (target->fd < 0)
		return ctx_error(ctx, "duplicating a descriptor");
	target->offset = (off_t)page * (off_t)PAGE_BYTES;
	if (target_map(ctx, target, prot, MAP_SHARED) < 0)
		return -1;
	user_load(target->va);
	if (munmap(file.pages + target->offset, PAGE_BYTES) < 0)
		return ctx_error(ctx, "taking a low page");
	target->pfn = page_frame(target->va);
	return 0;
}

/* Does one of our low pages move? */
static int try_one(struct ctx *ctx, struct target *target)
{
	uint64_t before;

	if (low_anon(ctx, target) < 0)
		return -1;
	before = target->pfn;
	if (low_compact(ctx) < 0)
		return -1;
	target->pfn = page_frame(target->va);
	return target->pfn == before ? 0 : 1;
}

/* In a large and fragmented memory only pages from far below move: take more to choose from. */
static int find_least(struct ctx *ctx, struct target *target)
{
	for (; least <= MOST_PAGES; least *= LEAST_GROWS) {
		unsigned int moved = 0;

		for (unsigned int i = 0; i < TRIES; i++) {
			int result = try_one(ctx, target);

			if (result < 0)
				return -1;
			moved += (unsigned int)result;
		}
		if (moved >= TRIES - 1U)
			return 0;
		empty(&anon);
	}
	return ctx_skip(ctx, REASON_NO_MEMORY, "compaction leaves our pages where they are");
}

int low_init(struct ctx *ctx, struct target *target)
{
	compact_file = open(COMPACT, O_WRONLY | O_CLOEXEC);
	if (compact_file < 0)
		return ctx_cannot(ctx, COMPACT);
	if (knob_set(ctx, KNOB_COMPACT_UNEVICTABLE, "0") < 0)
		return ctx_cannot(ctx, "vm.compact_unevictable_allowed");
	return find_least(ctx, target);
}
