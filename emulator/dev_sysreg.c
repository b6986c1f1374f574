#include "dev_sysreg.h"

#include "common/xalloc.h"
#include "snap.h"

#include <stdlib.h>

#define ID       0x00u
#define LOCK     0x20u
#define COUNT100 0x24u
#define RESETCTL 0x40u
#define MCI      0x48u
#define COUNT24M 0x5cu

#define BOARD_ID    0x41007004u /* Versatile/PB926EJ-S */
#define UNLOCK      0xa05fu
#define LOCKED      0x10000u
#define RESET_BOARD 0x100u
#define MCI_CARD0   0x1u

struct sysreg {
	const struct clock *clock;
	uint32_t kept[SYSREG_SIZE / 4];
	bool reset_asked;
	bool card; /* in the first slot; follows from the options */
};

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	const struct sysreg *sysreg = device;

	(void)bytes;
	switch (offset & ~3u) {
	case ID:
		return BOARD_ID;
	case LOCK:
		return sysreg->kept[LOCK / 4] | (sysreg->kept[LOCK / 4] == UNLOCK ? 0 : LOCKED);
	case COUNT100:
		return (uint32_t)(clock_now(sysreg->clock) / 10000000);
	case MCI:
		return sysreg->card ? MCI_CARD0 : 0;
	case COUNT24M:
		return (uint32_t)(clock_now(sysreg->clock) * 24 / 1000);
	default:
		return sysreg->kept[offset / 4];
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct sysreg *sysreg = device;

	(void)bytes;
	switch (offset & ~3u) {
	case LOCK:
		sysreg->kept[LOCK / 4] = value & 0xffff;
		break;
	case RESETCTL:
		if (sysreg->kept[LOCK / 4] != UNLOCK)
			break;
		sysreg->kept[RESETCTL / 4] = value;
		if (value & RESET_BOARD) {
			sysreg->reset_asked = true;
			clock_changed(sysreg->clock); /* the core stops here */
		}
		break;
	default:
		sysreg->kept[offset / 4] = value;
		break;
	}
}

struct sysreg *sysreg_new(const struct clock *clock)
{
	struct sysreg *sysreg = xcalloc(1, sizeof(*sysreg));

	sysreg->clock = clock;
	return sysreg;
}

void sysreg_free(struct sysreg *sysreg)
{
	free(sysreg);
}

struct bus_device sysreg_device(struct sysreg *sysreg, uint32_t base)
{
	return (struct bus_device){"sysreg", base, SYSREG_SIZE, read, write, sysreg};
}

void sysreg_insert_card(struct sysreg *sysreg)
{
	sysreg->card = true;
}

bool sysreg_reset_asked(const struct sysreg *sysreg)
{
	return sysreg->reset_asked;
}

void sysreg_snap(struct sysreg *sysreg, struct snap *snap)
{
	snap_part(snap, "sysreg");
	SNAP(snap, sysreg->kept);
	SNAP(snap, sysreg->reset_asked);
}
