/* dev_smc91c111.h - SMSC LAN91C111 Ethernet card: 8 KiB of packet memory that the core reads and
 * writes itself, so no DMA. What it sends leaves at once. Multicast: all when any is asked for. */
#pragma once
#include "bus.h"
#include "irq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMC91C111_SIZE  0x10000u
#define SMC91C111_FRAME 1518u /* longest frame on the wire here, without its checksum */

struct snap;
struct smc91c111;

/* The wire. next() copies the next frame for this card and returns its length, at most
 * SMC91C111_FRAME, or 0 when there is none. NULL functions: no wire. */
struct smc91c111_wire {
	void (*send)(void *to, const uint8_t *frame, size_t len);
	size_t (*next)(void *to, uint8_t *frame);
	void *to; /* borrowed */
};

struct smc91c111 *smc91c111_new(struct irq irq, struct smc91c111_wire wire);
void smc91c111_free(struct smc91c111 *card);
struct bus_device smc91c111_device(struct smc91c111 *card, uint32_t base);

/* Whether the guest lets it receive. */
bool smc91c111_is_on(const struct smc91c111 *card);

/* Take frames from the wire while there is room for them. */
void smc91c111_receive(struct smc91c111 *card);

void smc91c111_snap(struct smc91c111 *card, struct snap *snap); /* save or load */
