#include "dev_pl190.h"

#include "common/xalloc.h"
#include "snap.h"

#include <stdlib.h>

#define IRQ_STATUS   0x00u
#define FIQ_STATUS   0x04u
#define RAW          0x08u
#define SELECT       0x0cu /* 1: FIQ */
#define ENABLE       0x10u
#define ENABLE_CLEAR 0x14u
#define SOFT         0x18u
#define SOFT_CLEAR   0x1cu
#define KEPT         0x20u /* from here on: registers that only keep their value */
#define KEPT_END     0x240u

struct pl190 {
	struct irq irq, fiq;
	uint32_t level, soft, select, enable;
	uint32_t kept[(KEPT_END - KEPT) / 4];
};

static const uint8_t ids[] = {0x90, 0x11, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint32_t pending(const struct pl190 *vic)
{
	return (vic->level | vic->soft) & vic->enable;
}

static void update(struct pl190 *vic)
{
	irq_set(&vic->irq, pending(vic) & ~vic->select);
	irq_set(&vic->fiq, pending(vic) & vic->select);
}

static void set_input(void *to, unsigned input, bool level)
{
	struct pl190 *vic = to;
	uint32_t old = vic->level;

	if (level)
		vic->level |= 1u << input;
	else
		vic->level &= ~(1u << input);
	if (vic->level != old)
		update(vic);
}

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	const struct pl190 *vic = device;

	(void)bytes;
	if (offset >= 0xfe0)
		return ids[(offset - 0xfe0) / 4];
	if (offset >= KEPT && offset < KEPT_END)
		return vic->kept[(offset - KEPT) / 4];
	switch (offset) {
	case IRQ_STATUS:
		return pending(vic) & ~vic->select;
	case FIQ_STATUS:
		return pending(vic) & vic->select;
	case RAW:
		return vic->level | vic->soft;
	case SELECT:
		return vic->select;
	case ENABLE:
		return vic->enable;
	case SOFT:
		return vic->soft;
	default:
		return 0;
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct pl190 *vic = device;

	(void)bytes;
	if (offset >= KEPT && offset < KEPT_END)
		vic->kept[(offset - KEPT) / 4] = value;
	switch (offset) {
	case SELECT:
		vic->select = value;
		break;
	case ENABLE:
		vic->enable |= value;
		break;
	case ENABLE_CLEAR:
		vic->enable &= ~value;
		break;
	case SOFT:
		vic->soft |= value;
		break;
	case SOFT_CLEAR:
		vic->soft &= ~value;
		break;
	default:
		break;
	}
	update(vic);
}

struct pl190 *pl190_new(struct irq irq, struct irq fiq)
{
	struct pl190 *vic = xcalloc(1, sizeof(*vic));

	vic->irq = irq;
	vic->fiq = fiq;
	return vic;
}

void pl190_free(struct pl190 *vic)
{
	free(vic);
}

struct bus_device pl190_device(struct pl190 *vic, uint32_t base)
{
	return (struct bus_device){"pl190", base, PL190_SIZE, read, write, vic};
}

struct irq pl190_input(struct pl190 *vic, unsigned input)
{
	return (struct irq){set_input, vic, input};
}

void pl190_snap(struct pl190 *vic, struct snap *snap)
{
	snap_part(snap, "pl190");
	SNAP(snap, vic->level);
	SNAP(snap, vic->soft);
	SNAP(snap, vic->select);
	SNAP(snap, vic->enable);
	SNAP(snap, vic->kept);
}
