#include "dev_virtio_blk.h"

#include "common/xalloc.h"
#include "disk.h"
#include "host.h"
#include "snap.h"
#include "virtio.h"

#include <stdlib.h>
#include <string.h>

#define F_SEG_MAX  ((uint64_t)1 << 2)
#define F_RO       ((uint64_t)1 << 5)
#define F_BLK_SIZE ((uint64_t)1 << 6)
#define F_FLUSH    ((uint64_t)1 << 9)

#define CONFIG_CAPACITY 0u
#define CONFIG_SEG_MAX  12u
#define CONFIG_BLK_SIZE 20u
#define CONFIG_BYTES    24u

#define TYPE_IN    0u
#define TYPE_OUT   1u
#define TYPE_FLUSH 4u
#define TYPE_ID    8u
#define ID_BYTES   20u

#define HEADER   16u
#define TAKES_NS 100000u
#define PIECE    4096u

enum status { STATUS_OK, STATUS_FAILED, STATUS_UNKNOWN };

struct virtio_blk {
	struct disk *disk;         /* borrowed */
	const struct clock *clock; /* borrowed */
	struct virtio *virtio;     /* owned */
	uint64_t due_ns; /* when the requests in the queue are done; CLOCK_NEVER: none is there */
	uint8_t config[CONFIG_BYTES];
};

/* Between disk and chain, in pieces. */
static bool move(struct virtio_blk *blk, const struct virtio_chain *chain, uint32_t type,
                 uint64_t at, uint32_t len)
{
	uint8_t bytes[PIECE];

	for (uint32_t done = 0; done < len;) {
		uint32_t part = len - done < PIECE ? len - done : PIECE;
		bool moved;

		if (type == TYPE_IN)
			moved = disk_read(blk->disk, at + done, bytes, part) &&
			        virtio_put(blk->virtio, chain, done, bytes, part);
		else
			moved = virtio_get(blk->virtio, chain, HEADER + done, bytes, part) &&
			        disk_write(blk->disk, at + done, bytes, part);
		if (!moved)
			return false;
		done += part;
	}
	return true;
}

static enum status transfer(struct virtio_blk *blk, const struct virtio_chain *chain, uint32_t type,
                            uint64_t sector)
{
	uint32_t len = type == TYPE_IN ? chain->in_bytes - 1 : chain->out_bytes - HEADER;
	uint64_t sectors = disk_bytes(blk->disk) / DISK_SECTOR;

	if (len % DISK_SECTOR != 0 || sector > sectors || len / DISK_SECTOR > sectors - sector)
		return STATUS_FAILED;
	return move(blk, chain, type, sector * DISK_SECTOR, len) ? STATUS_OK : STATUS_FAILED;
}

static enum status identify(struct virtio_blk *blk, const struct virtio_chain *chain)
{
	static const char id[ID_BYTES] = "cohort-emu";

	return chain->in_bytes > ID_BYTES && virtio_put(blk->virtio, chain, 0, id, ID_BYTES)
	               ? STATUS_OK
	               : STATUS_FAILED;
}

static enum status serve(struct virtio_blk *blk, const struct virtio_chain *chain)
{
	uint8_t header[HEADER];
	uint64_t sector;
	uint32_t type;

	if (!virtio_get(blk->virtio, chain, 0, header, HEADER))
		return STATUS_FAILED;
	type = host_read(header, 4);
	memcpy(&sector, header + 8, sizeof(sector));
	switch (type) {
	case TYPE_IN:
	case TYPE_OUT:
		return transfer(blk, chain, type, sector);
	case TYPE_FLUSH:
		return disk_flush(blk->disk) ? STATUS_OK : STATUS_FAILED;
	case TYPE_ID:
		return identify(blk, chain);
	default:
		return STATUS_UNKNOWN;
	}
}

/* The last byte of the room is the status. */
static void serve_one(struct virtio_blk *blk)
{
	struct virtio_chain chain;
	uint8_t status;

	if (!virtio_take(blk->virtio, 0, &chain))
		return;
	if (chain.in_bytes == 0) {
		virtio_break(blk->virtio);
		return;
	}
	status = (uint8_t)serve(blk, &chain);
	(void)virtio_put(blk->virtio, &chain, chain.in_bytes - 1, &status, 1);
	virtio_done(blk->virtio, 0, &chain, chain.in_bytes);
}

static void notify(void *device, unsigned queue)
{
	struct virtio_blk *blk = device;

	(void)queue;
	if (blk->due_ns != CLOCK_NEVER)
		return;
	blk->due_ns = clock_now(blk->clock) + TAKES_NS;
	clock_changed(blk->clock);
}

/* One request at a time, as a disk does. */
uint64_t virtio_blk_update(struct virtio_blk *blk, uint64_t now_ns)
{
	if (now_ns < blk->due_ns)
		return blk->due_ns;
	serve_one(blk);
	blk->due_ns = virtio_has(blk->virtio, 0) ? now_ns + TAKES_NS : CLOCK_NEVER;
	return blk->due_ns;
}

static void stop(void *device)
{
	struct virtio_blk *blk = device;

	blk->due_ns = CLOCK_NEVER;
}

struct virtio_blk *virtio_blk_new(struct disk *disk, struct bus *bus, const struct clock *clock,
                                  struct irq irq)
{
	struct virtio_blk *blk = xcalloc(1, sizeof(*blk));
	const uint64_t sectors = disk_bytes(disk) / DISK_SECTOR;
	const struct virtio_kind kind = {
		.name = "virtio-blk",
		.id = 2,
		.features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | (disk_read_only(disk) ? F_RO : 0),
		.queues = 1,
		.queue_max = 128,
		.config = blk->config,
		.config_len = sizeof(blk->config),
		.notify = notify,
		.reset = stop,
		.device = blk,
	};

	blk->disk = disk;
	blk->clock = clock;
	blk->due_ns = CLOCK_NEVER;
	memcpy(blk->config + CONFIG_CAPACITY, &sectors, sizeof(sectors));
	host_write(blk->config + CONFIG_SEG_MAX, 4, VIRTIO_SEGMENTS - 2);
	host_write(blk->config + CONFIG_BLK_SIZE, 4, DISK_SECTOR);
	blk->virtio = virtio_new(&kind, bus, irq);
	return blk;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	if (!blk)
		return;
	virtio_free(blk->virtio);
	free(blk);
}

struct bus_device virtio_blk_device(struct virtio_blk *blk, uint32_t base)
{
	return virtio_device(blk->virtio, base);
}

void virtio_blk_snap(struct virtio_blk *blk, struct snap *snap)
{
	virtio_snap(blk->virtio, snap);
	SNAP(snap, blk->due_ns);
}
