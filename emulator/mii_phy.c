#include "mii_phy.h"

#include <string.h>

#define BMCR      0u
#define BMSR      1u
#define ID1       2u
#define ID2       3u
#define ADVERTISE 4u
#define PARTNER   5u
#define STATUS    0x12u
#define MASK      0x13u

#define BMCR_RESET  0x8000u
#define BMCR_ANEG   0x1000u
#define BMCR_100    0x2000u
#define BMCR_DOWN   0x0800u
#define BMCR_AGAIN  0x0200u /* restart negotiation: done at once */
#define BMSR_ABLE   0x7809u /* 10 and 100 Mbit/s, half and full duplex, negotiation */
#define BMSR_LINKED 0x0024u /* link up, negotiation done */

#define PREAMBLE 32u
#define HEADER   14u /* bits of a frame up to the register number */
#define FRAME    32u

void mii_phy_reset(struct mii_phy *phy)
{
	memset(phy, 0, sizeof(*phy));
	phy->kept[BMCR] = BMCR_ANEG | BMCR_100;
	phy->kept[ADVERTISE] = 0x01e1;
	phy->kept[MASK] = 0xffc0;
}

static uint16_t read_register(const struct mii_phy *phy, unsigned reg)
{
	switch (reg) {
	case BMSR:
		return phy->kept[BMCR] & BMCR_DOWN ? BMSR_ABLE : BMSR_ABLE | BMSR_LINKED;
	case ID1:
		return 0x0016;
	case ID2:
		return 0xf840;
	case PARTNER:
		return 0x45e1; /* offers all that this one can, and has acknowledged */
	case STATUS:
		return 0x00c0; /* 100 Mbit/s, full duplex, nothing changed */
	default:
		return phy->kept[reg];
	}
}

static void write_register(struct mii_phy *phy, unsigned reg, uint16_t value)
{
	if (reg == BMCR && (value & BMCR_RESET))
		mii_phy_reset(phy);
	else if (reg == BMCR)
		phy->kept[BMCR] = value & (uint16_t)~BMCR_AGAIN;
	else
		phy->kept[reg] = value;
}

/* A bit of a frame: 01, 10 read or 01 write, address, register; of a write also 10 and the value. */
static void take_bit(struct mii_phy *phy, bool data)
{
	unsigned op, address, reg;

	phy->frame = phy->frame << 1 | data;
	phy->bits++;
	if (phy->bits == HEADER && (phy->frame >> 10 & 3) == 2) {
		address = phy->frame >> 5 & 31;
		reg = phy->frame & 31;
		/* Two bits of turnaround are low: nobody drives the first, the PHY the second. */
		phy->out = address == 0 ? (uint32_t)read_register(phy, reg) << 14 : 0;
		phy->bits = 0;
	} else if (phy->bits == FRAME) {
		op = phy->frame >> 28 & 3;
		address = phy->frame >> 23 & 31;
		reg = phy->frame >> 18 & 31;
		phy->bits = 0;
		if (op == 1 && address == 0)
			write_register(phy, reg, (uint16_t)phy->frame);
	}
}

void mii_phy_drive(struct mii_phy *phy, bool clock, bool output_enabled, bool data)
{
	bool rises = clock && !phy->clock;

	phy->clock = clock;
	if (!rises)
		return;
	if (!output_enabled) {
		phy->out <<= 1;
	} else if (phy->bits) {
		take_bit(phy, data);
	} else if (data) {
		phy->ones++;
	} else {
		if (phy->ones >= PREAMBLE) { /* the 0 of the start code */
			phy->frame = 0;
			phy->bits = 1;
		}
		phy->ones = 0;
	}
}

bool mii_phy_data(const struct mii_phy *phy)
{
	return phy->out >> 31;
}
