#include "bus.h"

#include "common/err.h"
#include "common/xalloc.h"
#include "host.h"
#include "snap.h"
#include "trace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

struct bus {
	uint8_t *ram; /* owned */
	uint32_t ram_bytes;
	struct trace *trace; /* borrowed; NULL: none */
	unsigned devices;
	unsigned last; /* index of the device that was touched last */
	struct bus_device device[BUS_DEVICES];
};

struct bus *bus_new(uint32_t ram_bytes, struct err *err)
{
	struct bus *bus;

	if (ram_bytes == 0 || ram_bytes > BUS_RAM_MAX || ram_bytes % (1u << 20) != 0) {
		(void)err_set(err, ERR_INVALID,
		              "RAM of %u bytes: the board takes 1 to %u MiB, whole MiB only",
		              ram_bytes, BUS_RAM_MAX >> 20);
		return NULL;
	}
	bus = xcalloc(1, sizeof(*bus));
	bus->ram = xcalloc(1, ram_bytes);
	bus->ram_bytes = ram_bytes;
	return bus;
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	free(bus->ram);
	free(bus);
}

void bus_attach(struct bus *bus, const struct bus_device *device)
{
	assert(bus->devices < BUS_DEVICES);
	bus->device[bus->devices++] = *device;
}

uint8_t *bus_ram(const struct bus *bus, uint32_t address, uint32_t len)
{
	if (address >= bus->ram_bytes || len > bus->ram_bytes - address)
		return NULL;
	return bus->ram + address;
}

uint32_t bus_ram_bytes(const struct bus *bus)
{
	return bus->ram_bytes;
}

void bus_trace(struct bus *bus, struct trace *trace)
{
	bus->trace = trace;
}

bool bus_dma_get(const struct bus *bus, uint64_t address, void *to, uint32_t len)
{
	const uint8_t *ram = address <= UINT32_MAX ? bus_ram(bus, (uint32_t)address, len) : NULL;

	if (!ram)
		return false;
	memcpy(to, ram, len);
	trace_dma(bus->trace, "dma", TRACE_DMA_READ, (uint32_t)address, len);
	return true;
}

bool bus_dma_put(struct bus *bus, uint64_t address, const void *from, uint32_t len)
{
	uint8_t *ram = address <= UINT32_MAX ? bus_ram(bus, (uint32_t)address, len) : NULL;

	if (!ram)
		return false;
	memcpy(ram, from, len);
	trace_dma(bus->trace, "dma", TRACE_DMA_WRITE, (uint32_t)address, len);
	return true;
}

static const struct bus_device *device_at(struct bus *bus, uint32_t address)
{
	const struct bus_device *device = &bus->device[bus->last];

	if (address - device->base < device->size)
		return device;
	for (unsigned i = 0; i < bus->devices; i++) {
		device = &bus->device[i];
		if (address - device->base < device->size) {
			bus->last = i;
			return device;
		}
	}
	return NULL;
}

uint32_t bus_read(struct bus *bus, uint32_t address, unsigned bytes)
{
	const uint8_t *ram = bus_ram(bus, address, bytes);
	const struct bus_device *device;

	if (ram)
		return host_read(ram, bytes);
	device = device_at(bus, address);
	return device ? device->read(device->device, address - device->base, bytes) : 0;
}

void bus_write(struct bus *bus, uint32_t address, unsigned bytes, uint32_t value)
{
	uint8_t *ram = bus_ram(bus, address, bytes);
	const struct bus_device *device;

	if (ram) {
		host_write(ram, bytes, value);
		return;
	}
	device = device_at(bus, address);
	if (device)
		device->write(device->device, address - device->base, bytes, value);
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

void bus_snap(struct bus *bus, struct snap *snap)
{
	uint32_t pages = bus->ram_bytes / PAGE;

	snap_part(snap, "ram");
	for (uint32_t page = 0; page < pages; page++) {
		uint8_t *bytes = bus->ram + (size_t)page * PAGE;
		bool kept = !snap_loading(snap) && !is_zero(bytes);

		SNAP(snap, kept);
		if (kept)
			snap_bytes(snap, bytes, PAGE);
		else if (snap_loading(snap))
			memset(bytes, 0, PAGE);
	}
}
