/* sysfile.h - read and write the one-line files of sysfs and procfs. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Read what path holds, up to room - 1 bytes, without the newline at its end.
 * Returns 0, or -1 with errno. */
int sysfile_read(const char *path, char *text, size_t room);

/* Write text to path, which must exist. Returns 0, or -1 with errno. */
int sysfile_write(const char *path, const char *text);

/* The number at the start of what path holds. Returns 0, or -1 with errno. */
int sysfile_number(const char *path, uint64_t *value);
