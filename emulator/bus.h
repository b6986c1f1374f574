/* bus.h - physical addresses: RAM from 0, and devices by a table.
 *
 * What nothing answers reads as 0 and swallows writes, as the board's decoder does: drivers probe. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct bus;
struct err;
struct snap;
struct trace;

/* One device as the bus sees it. offset is from its base; bytes is 1, 2 or 4. */
struct bus_device {
	const char *name;
	uint32_t base, size;
	uint32_t (*read)(void *device, uint32_t offset, unsigned bytes);
	void (*write)(void *device, uint32_t offset, unsigned bytes, uint32_t value);
	void *device; /* borrowed */
};

#define BUS_RAM_MAX 0x08000000u /* what the board decodes as RAM */
#define BUS_DEVICES 32          /* that a bus holds at most */

/* Make a bus with ram_bytes of zeroed RAM at address 0: a multiple of 1 MiB, at most BUS_RAM_MAX.
 * Returns NULL with *err (ERR_INVALID) for any other size. */
struct bus *bus_new(uint32_t ram_bytes, struct err *err);
void bus_free(struct bus *bus);

/* Add a device; regions may not overlap. The row is copied. */
void bus_attach(struct bus *bus, const struct bus_device *device);

/* len bytes of RAM at address, or NULL when not all of them are RAM. */
uint8_t *bus_ram(const struct bus *bus, uint32_t address, uint32_t len);
uint32_t bus_ram_bytes(const struct bus *bus);

/* Save or load the pages of RAM that are not all zero. */
void bus_snap(struct bus *bus, struct snap *snap);

/* Let trace see all DMA. Borrowed. */
void bus_trace(struct bus *bus, struct trace *trace);

/* DMA of a device: RAM, whatever the caches hold. False, with nothing done, when not all of it is RAM. */
bool bus_dma_get(const struct bus *bus, uint64_t address, void *to, uint32_t len);
bool bus_dma_put(struct bus *bus, uint64_t address, const void *from, uint32_t len);

/* Any physical address; bytes is 1, 2 or 4 and the address is aligned to it. */
uint32_t bus_read(struct bus *bus, uint32_t address, unsigned bytes);
void bus_write(struct bus *bus, uint32_t address, unsigned bytes, uint32_t value);
