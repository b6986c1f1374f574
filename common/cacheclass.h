/* cacheclass.h - the cache classes, and the boot line that proves one.
 * Source: arch/arm/kernel/setup.c cacheid_init(): "CPU: %s data cache, %s instruction cache". */
#pragma once
#include <stdbool.h>

enum cache_class {
	CACHE_UNKNOWN = 0,
	CACHE_VIVT,
	CACHE_VIPT_ALIASING,
	CACHE_VIPT_NONALIASING,
	CACHE_PIPT,
	CACHE_NONE, /* no ARM cache to speak of (x86-64): boards that test the farm itself */
};

/* "vivt", "vipt-aliasing", "vipt-nonaliasing", "pipt", "none", "unknown". */
const char *cache_class_name(enum cache_class class);

/* The class of that name, or CACHE_UNKNOWN. */
enum cache_class cache_class_parse(const char *name);

/* The class that a kernel's boot line tells, with anything (a time stamp) in front, or CACHE_UNKNOWN when the
 * line is no such line. Today's kernels print "PIPT / VIPT nonaliasing" for both, older ones "VIPT nonaliasing":
 * either is CACHE_VIPT_NONALIASING here. inst (may be NULL, else 48 bytes) gets the instruction side's words. */
enum cache_class cache_class_of_boot_line(const char *line, char inst[48]);

/* Does what the kernel printed agree with what the board's record declares? The kernel cannot tell pipt from
 * vipt-nonaliasing, so these two agree; a board of class none prints nothing. */
bool cache_class_agrees(enum cache_class declared, enum cache_class printed);
