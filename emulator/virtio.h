/* virtio.h - a virtio 1 device behind virtio-mmio registers (version 2), and its split queues.
 *
 * Rings, descriptors and buffers are reached by DMA: RAM, never a cache. Each device asks for
 * VIRTIO_F_ACCESS_PLATFORM, so that a driver has to use the DMA API for all of them. A driver that
 * gives what no device can use gets DEVICE_NEEDS_RESET, and the device stands still until the reset. */
#pragma once
#include "bus.h"
#include "irq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snap;
struct virtio; /* opaque: virtio_new(), virtio_free() */

#define VIRTIO_SIZE      0x200u
#define VIRTIO_QUEUES    2u
#define VIRTIO_SEGMENTS  130u                 /* of a chain at most */
#define VIRTIO_CHAIN_MAX ((uint32_t)32 << 20) /* bytes of a chain at most */

/* What a device is, and what it does when the driver asks. */
struct virtio_kind {
	const char *name;
	uint32_t id;           /* 1: network, 2: block */
	uint64_t features;     /* besides those that each device has */
	unsigned queues;       /* up to VIRTIO_QUEUES */
	uint32_t queue_max;    /* descriptors, a power of two */
	const uint8_t *config; /* what the driver can read about the device; borrowed */
	size_t config_len;
	void (*notify)(void *device, unsigned queue); /* the driver has put something there */
	void (*reset)(void *device);
	void *device; /* borrowed */
};

/* One request of a driver: bytes for the device, and room for what it answers. */
struct virtio_chain {
	uint16_t head;
	unsigned outs, ins;
	uint32_t out_bytes, in_bytes;
	struct virtio_segment {
		uint32_t address, len;
	} out[VIRTIO_SEGMENTS], in[VIRTIO_SEGMENTS];
};

struct virtio *virtio_new(const struct virtio_kind *kind, struct bus *bus, struct irq irq);
void virtio_free(struct virtio *virtio);
struct bus_device virtio_device(struct virtio *virtio, uint32_t base);

/* Whether the driver has set the device to work. */
bool virtio_is_on(const struct virtio *virtio);

/* Whether a request waits in queue; virtio_take() takes it. False when there is none that can be used. */
bool virtio_has(struct virtio *virtio, unsigned queue);
bool virtio_take(struct virtio *virtio, unsigned queue, struct virtio_chain *chain);

/* The request is done, with the first written bytes of its room filled: tell the driver. */
void virtio_done(struct virtio *virtio, unsigned queue, const struct virtio_chain *chain,
                 uint32_t written);

/* The driver broke the rules: nothing happens any more until it resets the device. */
void virtio_break(struct virtio *virtio);

/* Copy len bytes at offset of what the chain has for the device, or into its room. False when the
 * chain is shorter; nothing is copied then. */
bool virtio_get(struct virtio *virtio, const struct virtio_chain *chain, uint32_t offset, void *to,
                uint32_t len);
bool virtio_put(struct virtio *virtio, const struct virtio_chain *chain, uint32_t offset,
                const void *from, uint32_t len);

void virtio_snap(struct virtio *virtio, struct snap *snap); /* save or load */
