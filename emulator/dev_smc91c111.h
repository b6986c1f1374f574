/* dev_smc91c111.h - SMSC LAN91C111 Ethernet card: 8 KiB of packet memory that the core reads and
 * writes itself, so no DMA. What it sends leaves at once. Multicast: all when any is asked for. */
#pragma once
#include "bus.h"
#include "irq.h"
#include "wire.h"

#include <stdbool.h>
#include <stdint.h>

#define SMC91C111_SIZE 0x10000u

struct snap;
struct smc91c111;

struct smc91c111 *smc91c111_new(struct irq irq, struct wire wire);
void smc91c111_free(struct smc91c111 *card);
struct bus_device smc91c111_device(struct smc91c111 *card, uint32_t base);

/* Whether the guest lets it receive. */
bool smc91c111_is_on(const struct smc91c111 *card);

/* Take frames from the wire while there is room for them. */
void smc91c111_receive(struct smc91c111 *card);

void smc91c111_snap(struct smc91c111 *card, struct snap *snap); /* save or load */
