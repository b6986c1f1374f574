/* perf-ring: samples that the kernel puts into a ring that it shares with the reader.
 *
 * The event is a page fault with its address, so each first touch of a page is one sample, in the ring when the touch
 * is done. The reader has looked at the head and at the place of the next record before: does it see that there is one
 * (head), and what it says (record)? The kernel stores through its own mapping and flushes nothing: a gap, on VIVT and
 * aliasing VIPT. */
#include "number.h"
#include "tests.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VARIANT_HEAD, VARIANT_RECORD, VARIANTS };

#define DATA_PAGES 4U /* a power of two */
#define DATA_BYTES (DATA_PAGES * PAGE_BYTES)
#define RECORDS    4U

struct ring {
	const uint8_t *at; /* all of it, to say where it is */
	volatile struct perf_event_mmap_page *control;
	const volatile uint8_t *data;
};

/* As sample_type asks for them. */
struct sample {
	struct perf_event_header header;
	uint64_t address;
};

/* Returns the mapping, or NULL after ctx_skip() or ctx_error(). */
static void *ring_open(struct ctx *ctx)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_ADDR,
		.exclude_kernel = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	void *at;

	if (fd < 0) {
		(void)ctx_cannot(ctx, "counting page faults");
		return NULL;
	}
	at = mmap(NULL, PAGE_BYTES + DATA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		(void)ctx_cannot(ctx, "a ring of samples");
		return NULL;
	}
	return at;
}

/* The address in the record at head; 0 when it is no such record. */
static uint32_t read_record(const struct ring *ring, uint32_t head)
{
	const volatile struct sample *sample =
		(const volatile void *)(ring->data + head % DATA_BYTES);

	if (sample->header.type != PERF_RECORD_SAMPLE || sample->header.size != sizeof(*sample))
		return 0;
	return (uint32_t)sample->address;
}

/* The same, but of the record that has this address, if one of the next few does: the program itself may have touched
 * a page of its own. */
static uint32_t find_record(const struct ring *ring, uint32_t head, uint32_t address)
{
	for (uint32_t i = 0; i < RECORDS; i++) {
		if (read_record(ring, head + i * (uint32_t)sizeof(struct sample)) == address)
			return address;
	}
	return read_record(ring, head);
}

/* Head and tail are equal, and nothing of the ring is cached. */
static void catch_up(const struct ring *ring)
{
	machine_settle();
	ring->control->data_tail = ring->control->data_head;
	machine_settle();
}

static void trial(struct ctx *ctx, const struct ring *ring, volatile uint8_t *page,
                  unsigned int iteration)
{
	struct number number = {
		.cell = VARIANT_HEAD,
		.iteration = iteration,
		.fault = FAULT_STALE_USER,
		.want = 1,
		.va = ring->at,
	};
	uint32_t want = (uint32_t)(uintptr_t)page;
	uint32_t head;
	uint32_t address;

	catch_up(ring);
	head = (uint32_t)ring->control->data_head;
	(void)find_record(ring, head, want);
	number.before = machine_switches();
	*page = 1; /* the act */
	number.got = (uint32_t)ring->control->data_head != head ? 1 : 0;
	address = find_record(ring, head, want);
	(void)number_check(ctx, &number);
	number.cell = VARIANT_RECORD;
	number.want = want;
	number.got = address;
	number.va = ring->at + PAGE_BYTES + head % DATA_BYTES;
	number.length = sizeof(struct sample);
	(void)number_check(ctx, &number);
}

static int run(struct ctx *ctx)
{
	size_t bytes = (size_t)ctx->iterations * PAGE_BYTES;
	void *at = ring_open(ctx);
	struct ring ring = {.at = at, .control = at};
	uint8_t *pages;

	if (at == NULL)
		return -1;
	ring.data = ring.at + PAGE_BYTES;
	pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return ctx_cannot(ctx, "memory");
	for (unsigned int iteration = 0; iteration < ctx->iterations; iteration++)
		trial(ctx, &ring, pages + (size_t)iteration * PAGE_BYTES, iteration);
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_HEAD] = {"head", KIND_GAP, 0, 0, 0},
	[VARIANT_RECORD] = {"record", KIND_GAP, 0, 0, 0},
};

const struct test test_perf_ring = {
	.name = "perf-ring",
	.description = "samples in perf's ring are seen by the reader",
	.api = "perf's ring buffer, shared without any flush",
	.kind = KIND_GAP,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_PERF,
	.time_limit_s = 30,
	.iterations = 50,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
