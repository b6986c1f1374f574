/* facts.h - what this machine and its kernel are (docs/WIRE.md, section 3, "Facts"). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new object with each fact; what cannot be found out is null. */
json_t *facts_read(void);

/* The boot ID, which tells one boot from the next; "" when the kernel has none. */
void facts_boot_id(char out[64]);

/* The kernel's release, as uname -r. */
void facts_release(char out[65]);

/* The GNU build-id in ELF notes (the text of /sys/kernel/notes) as hex digits. False when there is none. */
bool facts_build_id(const void *notes, size_t len, char out[129]);

/* {"implementer": "0x41", ...} of the text of /proc/cpuinfo; a field that is not there is null. */
json_t *facts_cpu(const char *cpuinfo);
