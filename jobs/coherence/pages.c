#include "pages.h"

#include "block.h"

#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_PAGES 8U /* colours 0..3 and at least four pages of fence behind */
#define SLOT_BYTES ((size_t)SLOT_PAGES * PAGE_BYTES)
#define ALIGN      ((size_t)COLOURS * PAGE_BYTES)

#ifndef KPF_ARCH
#define KPF_ARCH 38
#endif

void *slots_reserve(unsigned int count)
{
	/* One slot more than asked for: room to align, and a fence before the first page. */
	size_t bytes = SLOT_BYTES * (count + 1U);
	uint8_t *start =
		mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	return start + (ALIGN - (uintptr_t)start % ALIGN);
}

void *slot_at(void *slots, unsigned int index, unsigned int colour)
{
	return (uint8_t *)slots + SLOT_BYTES * index + (size_t)colour * PAGE_BYTES;
}

void slot_clear(void *slots, unsigned int index)
{
	(void)mmap(slot_at(slots, index, 0), ALIGN, PROT_NONE,
	           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

unsigned int colour_of(const void *va)
{
	return (unsigned int)((uintptr_t)va / PAGE_BYTES) & COLOUR_MASK;
}

/* The 64-bit entry number index of a table in /proc, or 0. */
static uint64_t table_entry(const char *path, uint64_t index)
{
	uint64_t entry = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (off_t)(index * sizeof(entry))) != sizeof(entry))
		entry = 0;
	(void)close(fd);
	return entry;
}

static uint64_t frame_of_entry(uint64_t entry)
{
	if ((entry >> 63 & 1U) == 0)
		return 0;
	return entry & ((UINT64_C(1) << 55) - 1);
}

uint64_t page_frame(const void *va)
{
	return frame_of_entry(table_entry("/proc/self/pagemap", (uintptr_t)va / PAGE_BYTES));
}

void page_frames(const void *va, unsigned int count, uint64_t *frames)
{
	off_t offset = (off_t)((uintptr_t)va / PAGE_BYTES * sizeof(*frames));
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t done = -1;

	if (fd >= 0) {
		done = pread(fd, frames, count * sizeof(*frames), offset);
		(void)close(fd);
	}
	for (unsigned int i = 0; i < count; i++) {
		bool known = done >= (ssize_t)((i + 1U) * sizeof(*frames));

		frames[i] = known ? frame_of_entry(frames[i]) : 0;
	}
}

bool page_swapped(const void *va)
{
	uint64_t entry = table_entry("/proc/self/pagemap", (uintptr_t)va / PAGE_BYTES);

	return (entry >> 62 & 1U) != 0;
}

static int page_flag(uint64_t pfn, unsigned int bit)
{
	uint64_t flags;

	if (pfn == 0)
		return -1;
	flags = table_entry("/proc/kpageflags", pfn);
	return flags == 0 ? -1 : (int)(flags >> bit & 1U);
}

int page_arch_flag(uint64_t pfn)
{
	return page_flag(pfn, KPF_ARCH);
}

int page_ksm_flag(uint64_t pfn)
{
	return page_flag(pfn, KPF_KSM);
}
