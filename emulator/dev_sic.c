#include "dev_sic.h"

#include "common/xalloc.h"
#include "snap.h"

#include <stdlib.h>
#include <string.h>

#define STATUS       0x00u
#define RAW          0x04u
#define ENABLE       0x08u /* write: set */
#define ENABLE_CLEAR 0x0cu
#define SOFT         0x10u /* write: set */
#define SOFT_CLEAR   0x14u
#define PASS         0x20u /* write: set */
#define PASS_CLEAR   0x24u

struct sic {
	struct irq out;
	struct irq pass_on[32];
	uint32_t level, soft, enable, pass;
};

static void update(struct sic *sic)
{
	uint32_t raw = sic->level | sic->soft;

	irq_set(&sic->out, raw & sic->enable);
	for (unsigned n = 0; n < 32; n++) {
		if (sic->pass >> n & 1)
			irq_set(&sic->pass_on[n], raw >> n & 1);
	}
}

static void set_input(void *to, unsigned input, bool level)
{
	struct sic *sic = to;

	if (level)
		sic->level |= 1u << input;
	else
		sic->level &= ~(1u << input);
	update(sic);
}

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	const struct sic *sic = device;

	(void)bytes;
	switch (offset) {
	case STATUS:
		return (sic->level | sic->soft) & sic->enable;
	case RAW:
		return sic->level | sic->soft;
	case ENABLE:
		return sic->enable;
	case SOFT:
		return sic->soft;
	case PASS:
		return sic->pass;
	default:
		return 0;
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct sic *sic = device;

	(void)bytes;
	switch (offset) {
	case ENABLE:
		sic->enable |= value;
		break;
	case ENABLE_CLEAR:
		sic->enable &= ~value;
		break;
	case SOFT:
		sic->soft |= value;
		break;
	case SOFT_CLEAR:
		sic->soft &= ~value;
		break;
	case PASS:
		sic->pass |= value & 0x7fe00000;
		break;
	case PASS_CLEAR:
		for (unsigned n = 0; n < 32; n++) {
			if (value & sic->pass & 1u << n)
				irq_set(&sic->pass_on[n], false);
		}
		sic->pass &= ~value;
		break;
	default:
		break;
	}
	update(sic);
}

struct sic *sic_new(struct irq out, const struct irq pass_on[32])
{
	struct sic *sic = xcalloc(1, sizeof(*sic));

	sic->out = out;
	memcpy(sic->pass_on, pass_on, sizeof(sic->pass_on));
	return sic;
}

void sic_free(struct sic *sic)
{
	free(sic);
}

struct bus_device sic_device(struct sic *sic, uint32_t base)
{
	return (struct bus_device){"sic", base, SIC_SIZE, read, write, sic};
}

struct irq sic_input(struct sic *sic, unsigned input)
{
	return (struct irq){set_input, sic, input};
}

void sic_snap(struct sic *sic, struct snap *snap)
{
	snap_part(snap, "sic");
	SNAP(snap, sic->level);
	SNAP(snap, sic->soft);
	SNAP(snap, sic->enable);
	SNAP(snap, sic->pass);
}
