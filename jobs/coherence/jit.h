/* jit.h - tiny functions made at run time, each of which returns one number.
 * The number is part of the instructions, never loaded from memory: what a call returns says
 * which instructions ran. */
#pragma once
#include "ctx.h"

enum jit_set { JIT_NATIVE, JIT_THUMB };

#define JIT_FUNCTION_MAX 16U /* bytes of the longest function */
#define JIT_CRASHED      0xffffffffU

/* True when this machine can run that instruction set. */
bool jit_has(enum jit_set set);

/* Bytes that a function takes. */
size_t jit_size(enum jit_set set);

/* Write a function that returns value to at (4-byte aligned). */
void jit_emit(void *at, enum jit_set set, uint16_t value);

/* Call the function at. Returns what it returned, or JIT_CRASHED when it raised a fault: what
 * ran was not a function of ours. Needs jit_catch_faults(). */
uint32_t jit_call(const void *at, enum jit_set set);

/* Handle the signals of faults until the process ends. Returns 0, or -1 with errno. */
int jit_catch_faults(void);

/* The system call for coherent code, or what this machine has for it.
 * Returns 0, or -1 with errno. */
int jit_flush(void *start, void *end);

/* Map two pages, readable, writable and executable, with fences; NULL after ctx_skip(). */
uint8_t *jit_pages(struct ctx *ctx);

/* Call the function at, which must return want, and count the trial in cell. */
void jit_check(struct ctx *ctx, unsigned int cell, unsigned int iteration, const void *at,
               enum jit_set set, uint16_t want);

/* Which trial it is, and what kind of code. */
struct jit_where {
	unsigned int cell, iteration;
	enum jit_set set;
};

/* The same for a trial that began when the context switches were before. */
void jit_check_since(struct ctx *ctx, const struct jit_where *where, const void *at, uint16_t want,
                     const struct switches *before);

/* One trial: emit, flush and call a function, so that its old instructions are cached; emit it
 * with the next number, flush it if flush is set, and call it. Counts the trial in cell, and
 * the fault when it returned anything else. Returns 0, or -1 when the test cannot go on. */
int jit_trial(struct ctx *ctx, unsigned int cell, unsigned int iteration, void *at,
              enum jit_set set, bool flush);
