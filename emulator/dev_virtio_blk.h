/* dev_virtio_blk.h - a disk by DMA (virtio-blk). A request takes 100 microseconds of guest time: its bytes move
 * when it is done, so what the core keeps in its caches meanwhile matters. */
#pragma once
#include "bus.h"
#include "clock.h"
#include "irq.h"

#include <stdint.h>

struct disk;
struct snap;
struct virtio_blk; /* opaque: virtio_blk_new(), virtio_blk_free() */

/* bus, clock and disk are borrowed. */
struct virtio_blk *virtio_blk_new(struct disk *disk, struct bus *bus, const struct clock *clock,
                                  struct irq irq);
void virtio_blk_free(struct virtio_blk *blk);
struct bus_device virtio_blk_device(struct virtio_blk *blk, uint32_t base);

/* Do what is due at now_ns. Returns when something is due next, or CLOCK_NEVER. */
uint64_t virtio_blk_update(struct virtio_blk *blk, uint64_t now_ns);

void virtio_blk_snap(struct virtio_blk *blk, struct snap *snap); /* save or load; not the disk */
