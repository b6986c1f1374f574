#include "blockdev.h"

#include "knob.h"
#include "ledger.h"
#include "node.h"
#include "nullblk.h"
#include "ubidev.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Make the device of this backend, or find it. Returns 0, or -1 with errno. */
static int make(struct ctx *ctx, struct blockdev *dev, const void *content, size_t bytes,
                dev_t *device)
{
	switch (dev->backend) {
	case BACKEND_BRD:
		return borrowed_take(ctx, BORROWED_BRD, device);
	case BACKEND_NULL_BLK:
		return nullblk_open(ctx, device);
	case BACKEND_ZRAM:
		if (zram_open(ctx, &dev->zram, BLOCKDEV_BYTES, NULL) < 0)
			return -1;
		*device = dev->zram.device;
		return 0;
	case BACKEND_SCSI_DEBUG:
		/* Else each command takes a tick of the clock. */
		if (knob_exists(KNOB_SCSI_DEBUG_DELAY) &&
		    knob_set(ctx, KNOB_SCSI_DEBUG_DELAY, "0") < 0)
			return -1;
		return borrowed_take(ctx, BORROWED_SCSI_DEBUG, device);
	case BACKEND_MTDBLOCK:
		return borrowed_take(ctx, BORROWED_MTDBLOCK, device);
	case BACKEND_UBIBLOCK:
		return ubi_open(ctx, content, bytes, device);
	case BACKENDS:
	default:
		errno = ENODEV;
		return -1;
	}
}

static int open_twice(struct blockdev *dev, dev_t device)
{
	int mode = dev->backend == BACKEND_UBIBLOCK ? O_RDONLY : O_RDWR;

	dev->buffered = node_open(S_IFBLK, device, mode);
	dev->direct = node_open(S_IFBLK, device, mode | O_DIRECT);
	return dev->buffered < 0 || dev->direct < 0 ? -1 : 0;
}

static int put_content(struct ctx *ctx, const struct blockdev *dev, const void *content,
                       size_t bytes)
{
	if (dev->backend == BACKEND_UBIBLOCK)
		return 0;
	if (ctx_whole(ctx, pwrite(dev->buffered, content, bytes, 0), bytes,
	              "writing a block device") < 0)
		return -1;
	if (fsync(dev->buffered) < 0)
		return ctx_error(ctx, "syncing a block device");
	(void)posix_fadvise(dev->buffered, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

int blockdev_open(struct ctx *ctx, enum backend backend, const void *content, size_t bytes,
                  struct blockdev *dev, enum reason *reason)
{
	dev_t device;

	*dev = (struct blockdev){.backend = backend, .buffered = -1, .direct = -1};
	if (make(ctx, dev, content, bytes, &device) < 0) {
		/* All in use, or none blank: as good as none. */
		*reason = errno == EBUSY ? REASON_NODEV : ctx_reason(errno);
		return *reason == REASON_NONE ? ctx_error(ctx, "a block device") : 1;
	}
	if (open_twice(dev, device) < 0)
		return ctx_error(ctx, "opening a block device");
	return put_content(ctx, dev, content, bytes);
}

int blockdev_close(struct ctx *ctx, struct blockdev *dev)
{
	(void)close(dev->direct);
	(void)close(dev->buffered);
	if (dev->backend == BACKEND_ZRAM)
		(void)close(dev->zram.fd);
	/* What is left is in the ledger: all of it can go now, and the next device may need it gone. */
	if (ledger_clean(ctx->ledger) == 0)
		return 0;
	errno = 0;
	return ctx_error(ctx, "a block device could not be given back");
}

int blockdev_look(struct ctx *ctx, const struct blockdev *dev, void *buffer, size_t bytes,
                  off_t offset)
{
	(void)posix_fadvise(dev->buffered, 0, 0, POSIX_FADV_DONTNEED);
	return ctx_whole(ctx, pread(dev->buffered, buffer, bytes, offset), bytes,
	                 "reading a block device");
}
