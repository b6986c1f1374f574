/* test.h - how a test declares itself. tests[] in table.c holds one row for each. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctx;

enum kind {
	KIND_CONTRACT, /* must pass on every cache */
	KIND_GAP,      /* the kernel promises nothing; the result is a fact to compare */
	KIND_INFO,     /* tells about the board, never a verdict */
};

enum test_set {
	SET_CORE,     /* what a nightly run has, and `coherence run` without a name */
	SET_EXTENDED, /* needs more, or takes longer; by name or with --set */
	SET_BENCH,    /* measures what flushing costs; KIND_INFO */
	SET_COUNT,
};

/* Cache classes, as bits: where a broken kernel shows. */
enum {
	CLASS_VIVT = 1U << 0,
	CLASS_VIPT_ALIASING = 1U << 1,
	CLASS_VIPT_NONALIASING = 1U << 2,
	CLASS_PIPT = 1U << 3,
	CLASS_COUNT = 4,
};

#define CLASS_ALIASING (CLASS_VIVT | CLASS_VIPT_ALIASING)
#define CLASS_ALL      (CLASS_ALIASING | CLASS_VIPT_NONALIASING | CLASS_PIPT)

/* What a test needs, as bits. Declared for the planner; the test itself finds out. */
enum {
	NEED_ROOT = 1U << 0,
	NEED_PAGEMAP = 1U << 1,
	NEED_LOOP = 1U << 2,
	NEED_DM_CRYPT = 1U << 3,
	NEED_TMPFS = 1U << 4,
	NEED_EXT4 = 1U << 5,
	NEED_SYSVIPC = 1U << 6,
	NEED_COMPACTION = 1U << 7,
	NEED_AIO = 1U << 8,
	NEED_AF_ALG = 1U << 9,
	NEED_BRD = 1U << 10,
	NEED_NULL_BLK = 1U << 11,
	NEED_ZRAM = 1U << 12,
	NEED_SCSI_DEBUG = 1U << 13,
	NEED_MTD = 1U << 14,
	NEED_SWAP = 1U << 15,
	NEED_KSM = 1U << 16,
	NEED_USERFAULTFD = 1U << 17,
	NEED_CROSS_MEMORY = 1U << 18,
	NEED_UPROBES = 1U << 19,
	NEED_BPF_JIT = 1U << 20,
	NEED_PACKET = 1U << 21,
	NEED_PERF = 1U << 22,
	NEED_IO_URING = 1U << 23,
	NEED_INET = 1U << 24,
	NEED_FUSE = 1U << 25,
	NEED_HIGHMEM = 1U << 26,
	NEED_DEVICE = 1U << 27, /* a block device that the board's owner names */
	NEED_COUNT = 28,
};

/* State of the user alias before the act, as mask bits 1 << state. */
enum user_state { USER_ABSENT, USER_CLEAN, USER_DIRTY, USER_STATES };
/* State of the kernel's own alias before the act. */
enum kernel_state { KERNEL_ABSENT, KERNEL_CLEAN, KERNEL_STATES };

#define USER_ALL    7U
#define KERNEL_ALL  3U
#define DELTA_ALL   15U
#define DELTA_COUNT 4U
#define DELTA_PAIR                                                                                 \
	3U /* congruent, and one distance that aliases on every cache that aliases at all */

/* One form of a test. Its cells are every combination that the masks allow; a mask of 0
 * leaves that dimension out of the cells and of their names. */
struct variant {
	const char *name; /* NULL: the only form, not named in its cells */
	enum kind kind;
	uint8_t user, kernel, delta;
};

struct test {
	const char *name;
	const char *description;
	const char *api; /* the kernel interface under test */
	enum kind kind;
	enum test_set set;
	unsigned int classes; /* CLASS_ bits */
	unsigned int needs;   /* NEED_ bits */
	unsigned int time_limit_s;
	unsigned int iterations; /* default; chosen for about a second on a QEMU board */
	const struct variant *variants;
	size_t variant_count;
	const struct test
		*of; /* NULL, or the test whose variants this one has instead of its own */
	/* Run every cell and put the results into ctx's report. Runs in a child process of its
	 * own. Returns 0, or -1 when it cannot go on (ctx_skip(), ctx_error()). */
	int (*run)(struct ctx *ctx);
};

/* A cell taken apart; a dimension that it does not have is -1. */
struct cell {
	unsigned int variant;
	int user, kernel, delta;
};

#define CELL_NAME_MAX 96U
#define CELLS_MAX     320U

extern const struct test *const tests[];
extern const size_t test_count;

/* The row of that name, or NULL. */
const struct test *test_find(const char *name);

/* Its variants, or those of the test that it is of. */
static inline const struct variant *test_variants(const struct test *test)
{
	return test->of != NULL ? test->of->variants : test->variants;
}

/* How many cells test has; at most CELLS_MAX. */
unsigned int test_cells(const struct test *test);

/* Cell index (below test_cells()). The order is that of the variants, and inside each user,
 * kernel, delta. */
struct cell test_cell(const struct test *test, unsigned int index);

/* Write the name of a cell, such as "size=512,u=dirty,k=clean,delta=1". */
void test_cell_name(const struct test *test, unsigned int index, char name[CELL_NAME_MAX]);

/* The kind of a cell: its variant's, and never more than the test's. */
enum kind test_cell_kind(const struct test *test, unsigned int index);

const char *kind_name(enum kind kind);

const char *set_name(enum test_set set);

/* Names of single bits, for index below CLASS_COUNT and NEED_COUNT. */
const char *class_name(unsigned int index);
const char *need_name(unsigned int index);
