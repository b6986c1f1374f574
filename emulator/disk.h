/* disk.h - a file as a disk or a memory card: sectors of 512 bytes.
 *
 * A private disk keeps what is written to it in memory and leaves the file alone; it lasts as long as
 * the disk is open, resets of the board included. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct disk; /* opaque: disk_open(), disk_close() */
struct err;
struct snap;

#define DISK_SECTOR 512u

enum disk_mode { DISK_WRITE, DISK_READ_ONLY, DISK_PRIVATE };

/* Open the file at path, whose size must be a multiple of unit bytes (itself one of DISK_SECTOR) and not 0.
 * Returns NULL with *err naming the file and what is wrong with it. */
struct disk *disk_open(const char *path, enum disk_mode mode, uint32_t unit, struct err *err);
void disk_close(struct disk *disk);

uint64_t disk_bytes(const struct disk *disk);
bool disk_read_only(const struct disk *disk);

/* Copy len bytes at offset. False when that is not all on the disk, the disk cannot be written, or the
 * file fails; some bytes may have been copied then. */
bool disk_read(struct disk *disk, uint64_t offset, void *bytes, uint32_t len);
bool disk_write(struct disk *disk, uint64_t offset, const void *bytes, uint32_t len);

/* What was written is on the host's disk. */
bool disk_flush(struct disk *disk);

/* Save or load what a private disk keeps, with a digest of the file: a load into a disk whose file has
 * other bytes fails the snap. */
void disk_snap(struct disk *disk, struct snap *snap);
