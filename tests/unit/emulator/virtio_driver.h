/* virtio_driver.h - the driver's side of a virtio-mmio device in memory, for tests: rings of 16 at fixed places. */
#pragma once
#include "emulator/bus.h"
#include "emulator/virtio.h"

#define AT(queue)    (0x1000u + 0x1000u * (queue)) /* descriptors; then the rings */
#define AVAIL(queue) (AT(queue) + 0x200u)
#define USED(queue)  (AT(queue) + 0x400u)

#define NEXT     1u
#define ROOM     2u /* the device writes it */
#define INDIRECT 4u

static inline uint32_t reg(struct bus *bus, uint32_t base, uint32_t offset)
{
	return bus_read(bus, base + offset, 4);
}

static inline void set_reg(struct bus *bus, uint32_t base, uint32_t offset, uint32_t value)
{
	bus_write(bus, base + offset, 4, value);
}

/* Features beyond the first 32 (bit 0: version 1, bit 1: access platform), then queues, then work. */
static inline void bring_up(struct bus *bus, uint32_t base, uint32_t high_features)
{
	set_reg(bus, base, 0x70, 0);
	set_reg(bus, base, 0x70, 3);
	set_reg(bus, base, 0x24, 1);
	set_reg(bus, base, 0x20, high_features);
	set_reg(bus, base, 0x70, 0xb);
	for (uint32_t queue = 0; queue < 2; queue++) {
		set_reg(bus, base, 0x30, queue);
		set_reg(bus, base, 0x38, 16);
		set_reg(bus, base, 0x80, AT(queue));
		set_reg(bus, base, 0x90, AVAIL(queue));
		set_reg(bus, base, 0xa0, USED(queue));
		set_reg(bus, base, 0x44, 1);
	}
	set_reg(bus, base, 0x70, reg(bus, base, 0x70) | 4);
}

static inline void describe_at(struct bus *bus, uint32_t at, uint32_t address, uint32_t len,
                               uint32_t flags, uint32_t next)
{
	bus_write(bus, at, 4, address);
	bus_write(bus, at + 4, 4, 0);
	bus_write(bus, at + 8, 4, len);
	bus_write(bus, at + 12, 4, flags | next << 16);
}

static inline void describe(struct bus *bus, uint32_t queue, uint32_t n, uint32_t address,
                            uint32_t len, uint32_t flags, uint32_t next)
{
	describe_at(bus, AT(queue) + 16 * n, address, len, flags, next);
}

/* Put the chain that starts at head into the ring and tell the device. */
static inline void offer(struct bus *bus, uint32_t base, uint32_t queue, uint32_t head)
{
	uint32_t index = bus_read(bus, AVAIL(queue) + 2, 2);

	bus_write(bus, AVAIL(queue) + 4 + 2 * (index % 16), 2, head);
	bus_write(bus, AVAIL(queue) + 2, 2, index + 1);
	set_reg(bus, base, 0x50, queue);
}

static inline uint32_t used(struct bus *bus, uint32_t queue)
{
	return bus_read(bus, USED(queue) + 2, 2);
}
