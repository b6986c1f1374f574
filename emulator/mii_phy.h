/* mii_phy.h - the PHY in a LAN91C111 (LAN83C183, address 0), read and written bit by bit over the MII
 * management pins. Its link is up at 100 Mbit/s full duplex, and negotiation is always done. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct mii_phy {
	uint16_t kept[32]; /* registers that only keep their value */
	unsigned ones;     /* of the preamble, as far as seen */
	unsigned bits;     /* of the frame, start code included; 0: between frames */
	uint32_t frame;
	uint32_t out; /* what is left to be read: its top bit (31) is on the pin */
	bool clock;
};

void mii_phy_reset(struct mii_phy *phy);

/* The three pins that the card drives. A bit is taken, or the next one shown, when the clock rises. */
void mii_phy_drive(struct mii_phy *phy, bool clock, bool output_enabled, bool data);

/* The pin that the PHY drives; low when no PHY was asked. */
bool mii_phy_data(const struct mii_phy *phy);
