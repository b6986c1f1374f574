/* ctx.h - what a running test has at hand. One process, one test, one ctx. */
#pragma once
#include "machine.h"
#include "pages.h"
#include "report.h"
#include "test.h"

#include <sys/types.h>

struct inject;
struct ledger;

struct ctx {
	const struct test *test;
	struct report *report; /* shared with the runner */
	struct ledger *ledger; /* shared with the runner */
	struct inject *inject; /* NULL but in the self-check */
	const char *
		device; /* a block device that tests may read, named by the board's owner; or NULL */
	unsigned int iterations;
	unsigned int bench_ms;   /* least time of one sample of a measurement */
	unsigned int class_bits; /* CLASS_ bit of this machine; 0: unknown */
	uint64_t least_frame;    /* pages under test have this frame number or a higher one */
	bool switch_hides;       /* a context switch cleans this cache */
	bool act_sleeps;         /* the act waits, so voluntary switches are expected */
	bool control;            /* the running trial is a control */
	struct quiet quiet;
	int self_mem; /* /proc/self/mem */
	uint16_t nonce;
	uint16_t generation; /* the newest one given out */
	uint8_t *buffer;     /* one page, what the kernel's view is read into */
	uint8_t *source;     /* one page, what an act writes from */
	const char *ext2;    /* where ext2_mount() put it, or NULL */
};

/* Take what every test needs. Returns 0, or -1 after ctx_error(). */
int ctx_init(struct ctx *ctx);

/* One more page for a buffer, with fences, so that reading into it never touches a neighbour's VMA; zeroed.
 * It ends with the test. Returns NULL after ctx_error(). */
uint8_t *ctx_page(struct ctx *ctx);

/* Generations go from 1 up to this and start over; content that was made once and must be
 * newer than every trial has this one. */
#define GENERATION_FIXED 0x7000U

/* The next generation number. */
uint16_t ctx_generation(struct ctx *ctx);

/* A stamp with that generation and this run's nonce. */
struct stamp ctx_stamp(const struct ctx *ctx, enum writer writer, uint16_t generation,
                       unsigned int page);

/* Stop the whole test: skip it, or call it broken. The first call counts. Both return -1. */
__attribute__((format(printf, 3, 4))) int ctx_skip(struct ctx *ctx, enum reason reason,
                                                   const char *format, ...);
/* The text gets ": " and the text of errno, unless errno is 0. */
__attribute__((format(printf, 2, 3))) int ctx_error(struct ctx *ctx, const char *format, ...);

/* Check what a read or write of bytes returned. Returns 0 when it was all, else -1 after ctx_error() for what. */
int ctx_whole(struct ctx *ctx, ssize_t done, size_t bytes, const char *what);

/* Add to the text of the result. */
__attribute__((format(printf, 2, 3))) void ctx_note(struct ctx *ctx, const char *format, ...);

/* Skip one cell. */
void ctx_skip_cell(struct ctx *ctx, unsigned int cell, enum reason reason);

/* Skip every cell of a variant. */
void ctx_skip_variant(struct ctx *ctx, unsigned int variant, enum reason reason);

/* The reason word for an errno that says that this kernel or user cannot do it;
 * REASON_NONE for any other. */
enum reason ctx_reason(int error);

/* Skip with the reason word of errno when it has one, else call the test broken. -1. */
int ctx_cannot(struct ctx *ctx, const char *what);
