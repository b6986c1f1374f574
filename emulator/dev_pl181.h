/* dev_pl181.h - MMC controller (PL181): the core moves each word through its FIFO. A command is answered, and
 * data moves between FIFO and card, as soon as there is something to move. */
#pragma once
#include "bus.h"
#include "irq.h"

struct pl181; /* opaque: pl181_new(), pl181_free() */
struct sdcard;
struct snap;

#define PL181_SIZE 0x1000u

/* The two interrupts have a mask each. card is borrowed. */
struct pl181 *pl181_new(struct sdcard *card, const struct irq irq[2]);
void pl181_free(struct pl181 *mmc);
struct bus_device pl181_device(struct pl181 *mmc, uint32_t base);
void pl181_snap(struct pl181 *mmc, struct snap *snap); /* save or load; not the card */
