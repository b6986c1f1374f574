/* detached.h - a file system that only we see, for the kernel's interfaces that need a mount. */
#pragma once

/* Mount a new instance of type (such as "configfs") at no place: it is there through the descriptor that is
 * returned, and gone with it. Returns -1 with errno: ENOSYS before 5.2, ENODEV when the kernel has no such type. */
int detached_mount(const char *type);

/* Write text to the file name in directory. Returns 0, or -1 with errno. */
int detached_write(int directory, const char *name, const char *text);
