/* platform.h - what kind of machine this is. */
#pragma once
#include <stdbool.h>

struct platform {
	char cpu_line[160];      /* the kernel's "CPU: … data cache, …" line, or "" */
	unsigned int class_bits; /* CLASS_ bit of the data cache; 0: unknown */
	bool arm;                /* 32-bit ARM: without a known class, fear the worst */
};

/* Find out, from the kernel log and /proc/cpuinfo. */
void platform_read(struct platform *platform);

/* True when a switch to another process cleans this cache and so hides faults. */
bool platform_switch_hides(const struct platform *platform);

/* CLASS_ bit that a "CPU: …" line of the kernel names, or 0. */
unsigned int platform_class_of_line(const char *line);

/* Copy the value of field (such as "CPU part") of the first processor in /proc/cpuinfo;
 * "" when there is none. */
void platform_cpuinfo(const char *field, char *value, unsigned int room);
