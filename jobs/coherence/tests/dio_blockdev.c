/* dio-blockdev: direct reads from a real block device, against buffered ones.
 *
 * The one test that meets real DMA, or a controller's PIO. The board's owner names a device (--dev, or COHORT_DEVICE
 * from the farm's board file) that nobody writes to; it is only read. What it holds is not ours, so pages
 * are compared by a sum, computed from the words of the page alone: reading a reference between the act and the
 * look would be pressure on the cache. Every page of the first 4 MiB is one trial, over the states in turn; bulk
 * reads 64 KiB at a time, as a driver gets several pages for one transfer.
 *
 * get_user_pages has cleaned both aliases before the DMA API gets to them, so direct reads show a driver's own
 * copying, not a DMA mapping that forgets to invalidate. "buffered" does: it reads into a page of the page cache whose
 * frame was another page's a moment before, with the kernel's lines of that still there. */
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	VARIANT_ANON,
	VARIANT_MAPPED,
	VARIANT_ANON_BULK,
	VARIANT_MAPPED_BULK,
	VARIANT_BUFFERED,
	VARIANTS
};

#define PAGES      1024U
#define BULK_PAGES 16U

static struct pool pool;
static int buffered, direct; /* the device, opened twice */
static unsigned int pages;   /* that it has, at most PAGES */
static uint8_t *bulk;        /* BULK_PAGES pages to read into */
static uint8_t *reference;   /* BULK_PAGES pages, what a buffered read returned */

/* One read, and what it should bring. */
struct read {
	unsigned int cell, iteration;
	uint8_t *va;
	unsigned int page, count; /* on the device */
	int fd;                   /* of the file that is mapped at va, or -1 */
	off_t offset;             /* there */
	struct cell states;
	uint32_t want;
};

/* Any change of a word, or of the order of two, changes the sum. */
static uint32_t sum_of(const volatile void *at, unsigned int count)
{
	const volatile uint32_t *words = at;
	uint32_t sum = 2166136261U;

	for (unsigned int i = 0; i < count * PAGE_WORDS; i++)
		sum = (sum ^ words[i]) * 16777619U;
	return sum;
}

static int read_reference(struct ctx *ctx, struct read *read)
{
	size_t bytes = (size_t)read->count * PAGE_BYTES;

	(void)posix_fadvise(buffered, 0, 0, POSIX_FADV_DONTNEED);
	if (ctx_whole(ctx, pread(buffered, reference, bytes, (off_t)read->page * (off_t)PAGE_BYTES),
	              bytes, "buffered read of the device") < 0)
		return -1;
	read->want = sum_of(reference, read->count);
	return 0;
}

/* The kernel's view of what was read. */
static int kernel_read(struct ctx *ctx, const struct read *read, unsigned int page, void *buffer)
{
	if (read->fd < 0)
		return kernel_read_own(ctx->self_mem, read->va + (size_t)page * PAGE_BYTES,
		                       buffer) < 0
		               ? ctx_error(ctx, "reading /proc/self/mem")
		               : 0;
	return ctx_whole(
		ctx,
		pread(read->fd, buffer, PAGE_BYTES, read->offset + (off_t)page * (off_t)PAGE_BYTES),
		PAGE_BYTES, "reading the test file");
}

static int prepare(struct ctx *ctx, const struct read *read)
{
	struct pattern poison =
		pattern_of(ctx_stamp(ctx, WRITER_POISON, ctx_generation(ctx), read->page));
	struct pattern user =
		pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), read->page));

	for (unsigned int i = 0; i < read->count; i++)
		pattern_store(read->va + (size_t)i * PAGE_BYTES, &poison);
	machine_settle();
	for (unsigned int i = 0; i < read->count; i++) {
		uint8_t *at = read->va + (size_t)i * PAGE_BYTES;

		if (read->states.kernel == KERNEL_CLEAN &&
		    kernel_read(ctx, read, i, ctx->buffer) < 0)
			return -1;
		if (read->states.user == USER_CLEAN)
			user_load(at);
		else if (read->states.user !=
		         USER_ABSENT) /* dirty, and bulk, which has no states */
			user_dirty(at, &user);
	}
	return 0;
}

static int act(struct ctx *ctx, const struct read *read)
{
	size_t bytes = (size_t)read->count * PAGE_BYTES;

	return ctx_whole(ctx, pread(direct, read->va, bytes, (off_t)read->page * (off_t)PAGE_BYTES),
	                 bytes, "direct read from the device");
}

static int kernel_sum(struct ctx *ctx, const struct read *read, uint32_t *sum)
{
	for (unsigned int i = 0; i < read->count; i++) {
		if (kernel_read(ctx, read, i, reference + (size_t)i * PAGE_BYTES) < 0)
			return -1;
	}
	*sum = sum_of(reference, read->count);
	return 0;
}

/* A first look that is wrong although no line of the user's was there means that memory was old, then and in the other
 * states; a trial of that kind is the first of all. */
static enum fault fault_of(const struct read *read, bool early, bool kernel, bool late)
{
	static bool memory_was_old;

	if (early && kernel && late)
		return FAULT_LOST_WRITE;
	if (early && !kernel && !late) {
		memory_was_old |= read->states.user == USER_ABSENT;
		return memory_was_old ? FAULT_STALE_MEMORY : FAULT_STALE_USER;
	}
	if (!early && kernel && !late)
		return FAULT_STALE_KERNEL;
	return !early && !kernel ? FAULT_LATE_WRITEBACK : FAULT_MIXED;
}

/* Wrong: once more with nothing cached. A device that somebody writes to is no fault of the kernel's. */
static int check_without_cache(struct ctx *ctx, struct read *read, enum fault *fault)
{
	uint32_t want = read->want;
	uint32_t got;

	machine_settle();
	if (act(ctx, read) < 0)
		return -1;
	machine_settle();
	got = sum_of(read->va, read->count);
	if (read_reference(ctx, read) < 0)
		return -1;
	errno = 0;
	if (read->want != want)
		return ctx_error(ctx, "%s changes while it is read", ctx->device);
	if (got != want)
		*fault = FAULT_NOT_CACHE;
	return 0;
}

static int trial(struct ctx *ctx, struct read *read)
{
	struct number number = {
		.cell = read->cell,
		.iteration = read->iteration,
		.va = read->va,
		.length = PAGE_BYTES,
		.tag = TAG_TORN,
	};
	uint32_t early;
	uint32_t kernel;
	uint32_t late;

	ctx->report->running_cell = read->cell;
	if (read_reference(ctx, read) < 0 || prepare(ctx, read) < 0)
		return -1;
	number.before = machine_switches();
	if (act(ctx, read) < 0)
		return -1;
	early = sum_of(read->va, read->count);
	if (kernel_sum(ctx, read, &kernel) < 0)
		return -1;
	machine_settle();
	late = sum_of(read->va, read->count);
	number.want = read->want;
	number.got = early != read->want ? early : kernel != read->want ? kernel : late;
	number.fault =
		fault_of(read, early != read->want, kernel != read->want, late != read->want);
	if (number.got != number.want && check_without_cache(ctx, read, &number.fault) < 0)
		return -1;
	(void)number_check(ctx, &number);
	machine_breathe();
	return 0;
}

static unsigned int first_cell(const struct ctx *ctx, unsigned int variant)
{
	unsigned int cell = 0;

	while (test_cell(ctx->test, cell).variant != variant)
		cell++;
	return cell;
}

static int run_pages(struct ctx *ctx, unsigned int variant)
{
	unsigned int first = first_cell(ctx, variant);

	for (unsigned int i = 0; i < ctx->iterations * pages; i++) {
		const struct target *target = &pool.targets[i % pool.count];
		struct read read = {
			.cell = first + i % (USER_STATES * KERNEL_STATES),
			.iteration = i / pages,
			.va = target->va,
			.page = i % pages,
			.count = 1,
			.fd = target->fd,
			.offset = target->offset,
		};

		read.states = test_cell(ctx->test, read.cell);
		if (trial(ctx, &read) < 0)
			return -1;
	}
	pool_free(&pool);
	return 0;
}

static int run_bulk(struct ctx *ctx, unsigned int variant, int fd)
{
	unsigned int cell = first_cell(ctx, variant);
	unsigned int chunks = pages / BULK_PAGES;

	bulk = mmap(NULL, (size_t)BULK_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
	            fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (bulk == MAP_FAILED)
		return ctx_cannot(ctx, "memory for 64 KiB");
	for (unsigned int i = 0; i < ctx->iterations * chunks; i++) {
		struct read read = {
			.cell = cell,
			.iteration = i / chunks,
			.va = bulk,
			.page = i % chunks * BULK_PAGES,
			.count = BULK_PAGES,
			.fd = fd,
			.states = test_cell(ctx->test, cell),
		};

		if (trial(ctx, &read) < 0)
			return -1;
	}
	return 0;
}

static int read_buffered(struct ctx *ctx, unsigned int page, uint32_t *sum)
{
	if (ctx_whole(ctx,
	              pread(buffered, ctx->buffer, PAGE_BYTES, (off_t)page * (off_t)PAGE_BYTES),
	              PAGE_BYTES, "buffered read of the device") < 0)
		return -1;
	*sum = sum_of(ctx->buffer, 1);
	(void)posix_fadvise(buffered, 0, 0,
	                    POSIX_FADV_DONTNEED); /* its frame is the next to be taken */
	return 0;
}

static int trial_buffered(struct ctx *ctx, struct number *number, unsigned int page)
{
	uint32_t other;
	uint32_t again;

	machine_settle();
	if (ctx_whole(ctx, pread(direct, ctx->source, PAGE_BYTES, (off_t)page * (off_t)PAGE_BYTES),
	              PAGE_BYTES, "direct read from the device") < 0)
		return -1;
	machine_settle();
	number->want = sum_of(ctx->source, 1);
	if (read_buffered(ctx, (page + pages / 2) % pages, &other) < 0)
		return -1;
	number->before = machine_switches();
	if (read_buffered(ctx, page, &number->got) < 0)
		return -1;
	number->fault = FAULT_STALE_KERNEL;
	if (number->got != number->want) {
		machine_settle();
		if (read_buffered(ctx, page, &again) < 0)
			return -1;
		if (again != number->want)
			number->fault = FAULT_NOT_CACHE;
	}
	(void)number_check(ctx, number);
	machine_breathe();
	return 0;
}

static int run_buffered(struct ctx *ctx)
{
	unsigned int cell = first_cell(ctx, VARIANT_BUFFERED);

	ctx->report->running_cell = cell;
	(void)posix_fadvise(buffered, 0, 0, POSIX_FADV_RANDOM); /* no page ahead */
	for (unsigned int i = 0; i < ctx->iterations * pages; i++) {
		struct number number = {
			.cell = cell,
			.iteration = i / pages,
			.va = ctx->buffer,
			.length = PAGE_BYTES,
			.tag = TAG_TORN,
		};

		if (trial_buffered(ctx, &number, i % pages) < 0)
			return -1;
	}
	return 0;
}

static int open_device(struct ctx *ctx)
{
	struct stat status;
	off_t bytes;

	if (ctx->device == NULL)
		return ctx_skip(ctx, REASON_NODEV, "no device is named (--dev, or COHORT_DEVICE)");
	buffered = open(ctx->device, O_RDONLY | O_CLOEXEC);
	if (buffered < 0 && (errno == EPERM || errno == EACCES))
		return ctx_cannot(ctx, ctx->device);
	if (buffered < 0 || fstat(buffered, &status) < 0)
		return ctx_error(ctx, "%s", ctx->device);
	errno = ENOTBLK;
	if (!S_ISBLK(status.st_mode))
		return ctx_error(ctx, "%s", ctx->device);
	direct = open(ctx->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	bytes = lseek(buffered, 0, SEEK_END);
	if (direct < 0 || bytes < 0)
		return ctx_error(ctx, "%s", ctx->device);
	errno = 0;
	if (bytes < (off_t)(BULK_PAGES * PAGE_BYTES))
		return ctx_error(ctx, "%s is smaller than 64 KiB", ctx->device);
	pages = bytes / (off_t)PAGE_BYTES < (off_t)PAGES ? (unsigned int)(bytes / (off_t)PAGE_BYTES)
	                                                 : PAGES;
	ctx_note(ctx, "%s, %u pages", ctx->device, pages);
	return 0;
}

static int run(struct ctx *ctx)
{
	int file;

	ctx->act_sleeps = true;
	if (open_device(ctx) < 0)
		return -1;
	reference = mmap(NULL, (size_t)BULK_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = file_on_tmpfs(ctx, 0, (off_t)(BULK_PAGES * PAGE_BYTES));
	if (reference == MAP_FAILED || file < 0)
		return ctx_error(ctx, "memory for a reference");
	if (pool_anon(ctx, &pool) < 0 || run_pages(ctx, VARIANT_ANON) < 0 ||
	    pool_files(ctx, &pool, file_on_tmpfs) < 0 || run_pages(ctx, VARIANT_MAPPED) < 0 ||
	    run_bulk(ctx, VARIANT_ANON_BULK, -1) < 0)
		return -1;
	return run_bulk(ctx, VARIANT_MAPPED_BULK, file) < 0 ? -1 : run_buffered(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_ANON] = {"anon", KIND_CONTRACT, USER_ALL, KERNEL_ALL, 0},
	[VARIANT_MAPPED] = {"mapped", KIND_CONTRACT, USER_ALL, KERNEL_ALL, 0},
	[VARIANT_ANON_BULK] = {"anon,bulk", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_MAPPED_BULK] = {"mapped,bulk", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_BUFFERED] = {"buffered", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_dio_blockdev = {
	.name = "dio-blockdev",
	.description =
		"direct reads from a device that the board's owner names, against buffered ones",
	.api = "the DMA API and sg_miter in a driver of real hardware; get_user_pages",
	.kind = KIND_CONTRACT,
	.set = SET_EXTENDED,
	.classes = CLASS_ALL,
	.needs = NEED_PAGEMAP | NEED_DEVICE | NEED_TMPFS,
	.time_limit_s = 120,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
