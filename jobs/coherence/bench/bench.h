/* bench.h - every benchmark there is: bench/NAME.c defines `const struct test test_bench_NAME`, a test of SET_BENCH
 * that measures (measure.h) and gives no verdict. What its cells tell apart is in bench/README.md. */
#pragma once
#include "measure.h"

/* clang-format off */
#define EACH_BENCH(ROW) \
	ROW(bench_ctxsw) \
	ROW(bench_pipe) \
	ROW(bench_dio_read) \
	ROW(bench_sg) \
	ROW(bench_dmcrypt) \
	ROW(bench_write_mapped) \
	ROW(bench_read_mapped) \
	ROW(bench_fork) \
	ROW(bench_forkexec) \
	ROW(bench_fault) \
	ROW(bench_munmap) \
	ROW(bench_shared_alias) \
	ROW(bench_cacheflush) \
	ROW(bench_packet_ring) \
	ROW(bench_aio)
/* clang-format on */

#define DECLARE_BENCH(name) extern const struct test test_##name;
EACH_BENCH(DECLARE_BENCH)
#undef DECLARE_BENCH

/* A cell of its own for each variant. */
#define BENCH_CELL(name)                                                                           \
	{                                                                                          \
		name, KIND_INFO, 0, 0, 0                                                           \
	}

/* Measure the operation of one variant; without is a variant, too, or -1. */
struct bench {
	const char *operation;
	unsigned int pages;
	int without;
	measure_fn *run;
};

int bench_variant(struct ctx *ctx, unsigned int variant, const struct bench *bench);

/* Memory of this process, touched. NULL after ctx_error(). It ends with the process. */
uint8_t *bench_memory(struct ctx *ctx, size_t bytes);

/* Load one word of each half-line and store it. */
void bench_dirty(volatile uint8_t *at, size_t bytes);
