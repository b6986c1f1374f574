/* fsio.h - whole files and whole writes. Errors name the path. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Write all len bytes to fd, retrying short writes and EINTR. 0, or -1 with *err (ERR_IO). */
int fs_write_all(int fd, const void *data, size_t len, struct err *err);

/* Read the whole file, at most cap bytes, and put a NUL behind. Returns memory that the caller
 * frees and sets *len, or NULL with *err (ERR_IO, ERR_NOTFOUND, ERR_TOOBIG). */
char *fs_read_file(const char *path, size_t cap, size_t *len, struct err *err);

/* Replace path by data: temporary file beside it, fsync, rename, fsync of the directory.
 * After a crash there is the old file or the new one. 0, or -1 with *err. */
int fs_replace_file(const char *path, const void *data, size_t len, mode_t mode, struct err *err);

/* Make the directory and its parents (mode 0750 each, before umask). Existing is fine. */
int fs_mkdirs(const char *path, struct err *err);

/* fsync the directory that holds path. */
int fs_sync_parent(const char *path, struct err *err);
