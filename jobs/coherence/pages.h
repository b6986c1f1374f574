/* pages.h - test pages at chosen addresses, and what the kernel tells about their frames. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Cache colours: address bits 13:12. Linux uses four on every ARM class. */
#define COLOURS     4U
#define COLOUR_MASK 3U

/* Reserve room for count slots, all of it PROT_NONE. A page mapped into a slot has fences on
 * both sides, so that its VMA never merges with another: some kernel paths flush the whole
 * cache for large VMAs and would hide a fault. Returns the start, or NULL with errno. */
void *slots_reserve(unsigned int count);

/* The address in slot index at which a page has this colour. */
void *slot_at(void *slots, unsigned int index, unsigned int colour);

/* Make the whole slot PROT_NONE again, dropping what was mapped there. */
void slot_clear(void *slots, unsigned int index);

unsigned int colour_of(const void *va);

/* Frame number behind va by /proc/self/pagemap, or 0 when it is absent or hidden from us. */
uint64_t page_frame(const void *va);

/* The same for count pages from va on, by one read. */
void page_frames(const void *va, unsigned int count, uint64_t *frames);

/* True when the page at va of our own memory is in a swap area. */
bool page_swapped(const void *va);

/* KPF_ARCH (PG_arch_1, on ARM PG_dcache_clean) of a frame: 0, 1, or -1 when unknown. */
int page_arch_flag(uint64_t pfn);

/* KPF_KSM of a frame: 1 when it is a merged one, 0, or -1 when unknown. */
int page_ksm_flag(uint64_t pfn);
