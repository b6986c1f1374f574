/* rig.h - a core with caches and 2 MiB of RAM for the unit tests, with page tables when asked for. */
#pragma once
#include "common/err.h"
#include "emulator/bus.h"
#include "emulator/cache.h"
#include "emulator/cp15.h"
#include "emulator/cpu.h"
#include "emulator/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define L1_AT    0x4000u /* first-level table */
#define L2_AT    0x8000u /* coarse table of megabyte 1: virtual 0x100000-0x1fffff */
#define PAGED    0x100000u
#define FRAME    0x80000u /* where tests map pages to */
#define CB       0xcu     /* write-back */
#define AP_ALL   0xff0u   /* everything for everybody, in each quarter */
#define CACHED   (AP_ALL | CB)
#define THROUGH  (AP_ALL | 0x8u)
#define UNCACHED AP_ALL

struct rig {
	struct bus *bus;
	struct cache *d, *i;
	struct mem mem;
	struct cpu cpu;
};

/* A core of that model with 16 KiB caches: VIVT ones, or VIPT ones with 4 colours (one way). */
static inline void rig_begin_core(struct rig *rig, enum cpu_model model, bool write_allocate)
{
	bool vivt = model == CPU_ARM926;
	struct cache_config config = {.kind = vivt ? CACHE_VIVT : CACHE_VIPT,
	                              .bytes = 16384,
	                              .ways = vivt ? 4 : 1,
	                              .seed = 1};
	struct err err;

	memset(rig, 0, sizeof(*rig));
	rig->bus = bus_new(2u << 20, &err);
	assert_non_null(rig->bus);
	rig->i = cache_new(rig->bus, &config, &err);
	config.write_allocate = write_allocate;
	rig->d = cache_new(rig->bus, &config, &err);
	assert_non_null(rig->d);
	assert_non_null(rig->i);
	mem_init(&rig->mem, rig->bus, rig->d, rig->i);
	cpu_init(&rig->cpu, &rig->mem, model);
}

static inline void rig_begin(struct rig *rig, bool write_allocate)
{
	rig_begin_core(rig, CPU_ARM926, write_allocate);
}

static inline void rig_end(struct rig *rig)
{
	cache_free(rig->d);
	cache_free(rig->i);
	bus_free(rig->bus);
}

static inline void poke(struct rig *rig, uint32_t pa, uint32_t value)
{
	bus_write(rig->bus, pa, 4, value);
}

static inline uint32_t peek(struct rig *rig, uint32_t pa)
{
	return bus_read(rig->bus, pa, 4);
}

/* Map the 4 KiB page at va (in PAGED) to pa. */
static inline void map_page(struct rig *rig, uint32_t va, uint32_t pa, uint32_t bits)
{
	poke(rig, L2_AT + (va >> 12 & 0xff) * 4, pa | bits | 2);
	mmu_flush(&rig->mem.mmu);
}

/* Megabyte 0 is itself, not cached, for privileged code; megabyte 1 has the pages. MMU and caches on. */
static inline void rig_paging(struct rig *rig)
{
	poke(rig, L1_AT, 0x412);
	poke(rig, L1_AT + 4, L2_AT | 0x11);
	rig->mem.mmu.ttbr = L1_AT;
	mmu_set_dacr(&rig->mem.mmu, 1);
	mmu_set_control(&rig->mem.mmu, rig->mem.mmu.control | SCTLR_M | SCTLR_C | SCTLR_I);
}

static inline uint32_t load(struct rig *rig, uint32_t va)
{
	uint32_t value = 0;

	assert_true(mem_load32(&rig->mem, va, 0, &value));
	return value;
}

static inline void store(struct rig *rig, uint32_t va, uint32_t value)
{
	assert_true(mem_store32(&rig->mem, va, 0, value));
}

/* The same with ARMv6's descriptors without sub-pages, and what is not aligned taken as it is. */
static inline void rig_paging_v6(struct rig *rig)
{
	rig_paging(rig);
	poke(rig, L1_AT, 0x402);
	poke(rig, L1_AT + 4, L2_AT | 0x1);
	mmu_set_control(&rig->mem.mmu, rig->mem.mmu.control | SCTLR_XP | SCTLR_U);
}

/* MCR p15, 0, value, c7, crm, opc2. */
static inline void c7(struct rig *rig, uint8_t crm, uint8_t opc2, uint32_t value)
{
	assert_int_equal(cp15_write(&rig->cpu, (struct cp15_op){0, 7, crm, opc2}, value), EXEC_OK);
}
