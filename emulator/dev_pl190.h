/* dev_pl190.h - PrimeCell vectored interrupt controller, 32 inputs. The vector registers keep what
 * is written and choose nothing: Linux reads the status and decides itself. */
#pragma once
#include "bus.h"
#include "irq.h"

#include <stdint.h>

#define PL190_SIZE   0x1000u
#define PL190_INPUTS 32u

struct snap;
struct pl190;

struct pl190 *pl190_new(struct irq irq, struct irq fiq);
void pl190_free(struct pl190 *vic);
struct bus_device pl190_device(struct pl190 *vic, uint32_t base);

/* The wire to input 0-31. */
struct irq pl190_input(struct pl190 *vic, unsigned input);

void pl190_snap(struct pl190 *vic, struct snap *snap); /* save or load */
