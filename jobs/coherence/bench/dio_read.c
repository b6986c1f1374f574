/* bench-dio-read: reads from a RAM disk, past the page cache, into memory of several kinds.
 * Direct reads look up each page and flush its aliases before and after; buffered is the control with a copy instead. A file's
 * page that is mapped but not touched has no user alias to flush. */
#include "bench.h"
#include "node.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTO_BUFFERED, INTO_ANON, INTO_FILE, INTO_UNTOUCHED, INTO_KINDS };

#define SIZES    3U
#define MOST     (1U << 20)
#define RAM_DISK "ram0"

static const size_t sizes[SIZES] = {4096, 65536, MOST};

static int buffered_fd, direct_fd, running_fd;
static uint8_t *anon, *file, *into;
static size_t bytes;
static bool untouch;

static int reads(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (untouch && madvise(into, bytes, MADV_DONTNEED) < 0)
			return ctx_error(ctx, "MADV_DONTNEED");
		if (pread(running_fd, into, bytes, 0) != (ssize_t)bytes)
			return ctx_error(ctx, "reading the RAM disk");
	}
	return 0;
}

static int open_disk(struct ctx *ctx)
{
	dev_t device;

	if (node_block(RAM_DISK, &device) < 0)
		return ctx_skip(ctx, REASON_NOCONFIG, "no RAM disk");
	direct_fd = node_open(S_IFBLK, device, O_RDWR | O_DIRECT);
	buffered_fd = node_open(S_IFBLK, device, O_RDONLY);
	if (direct_fd < 0 || buffered_fd < 0)
		return ctx_cannot(ctx, "opening the RAM disk");
	if (pwrite(direct_fd, anon, MOST, 0) != (ssize_t)MOST)
		return ctx_cannot(ctx, "writing the RAM disk");
	return 0;
}

static int run_one(struct ctx *ctx, unsigned int kind, unsigned int size)
{
	unsigned int control = INTO_BUFFERED * SIZES + size;
	struct bench bench = {"read", (unsigned int)(sizes[size] / PAGE_BYTES),
	                      kind == INTO_BUFFERED ? -1 : (int)control, reads};

	running_fd = kind == INTO_BUFFERED ? buffered_fd : direct_fd;
	into = kind == INTO_FILE || kind == INTO_UNTOUCHED ? file : anon;
	untouch = kind == INTO_UNTOUCHED;
	bytes = sizes[size];
	return bench_variant(ctx, kind * SIZES + size, &bench);
}

static int run(struct ctx *ctx)
{
	int fd = file_on_tmpfs(ctx, 0, MOST);

	anon = bench_memory(ctx, MOST);
	if (fd < 0 || anon == NULL || open_disk(ctx) < 0)
		return -1;
	file = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		return ctx_cannot(ctx, "mapping a file");
	bench_dirty(file, MOST);
	for (unsigned int kind = 0; kind < INTO_KINDS; kind++) {
		for (unsigned int size = 0; size < SIZES; size++) {
			if (run_one(ctx, kind, size) < 0)
				return -1;
		}
	}
	return 0;
}

static const struct variant variants[INTO_KINDS * SIZES] = {
	BENCH_CELL("into=buffered,size=4096"),
	BENCH_CELL("into=buffered,size=65536"),
	BENCH_CELL("into=buffered,size=1048576"),
	BENCH_CELL("into=anon,size=4096"),
	BENCH_CELL("into=anon,size=65536"),
	BENCH_CELL("into=anon,size=1048576"),
	BENCH_CELL("into=file,size=4096"),
	BENCH_CELL("into=file,size=65536"),
	BENCH_CELL("into=file,size=1048576"),
	BENCH_CELL("into=file-untouched,size=4096"),
	BENCH_CELL("into=file-untouched,size=65536"),
	BENCH_CELL("into=file-untouched,size=1048576"),
};

const struct test test_bench_dio_read = {
	.name = "bench-dio-read",
	.description = "direct reads from a RAM disk into anonymous and mapped memory",
	.api = "flush_dcache_page in get_user_pages and in brd",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_ROOT | NEED_BRD | NEED_TMPFS,
	.time_limit_s = 180,
	.iterations = 1,
	.variants = variants,
	.variant_count = INTO_KINDS * SIZES,
	.run = run,
};
