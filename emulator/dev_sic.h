/* dev_sic.h - the board's secondary interrupt controller: 32 inputs, one output; some inputs can
 * also be passed straight to the primary one. */
#pragma once
#include "bus.h"
#include "irq.h"

#include <stdint.h>

#define SIC_SIZE 0x1000u

struct snap;
struct sic;

/* Output to out; input n, when passed on, to pass_on[n] (32 wires, copied). */
struct sic *sic_new(struct irq out, const struct irq pass_on[32]);
void sic_free(struct sic *sic);
struct bus_device sic_device(struct sic *sic, uint32_t base);

/* The wire to input 0-31. */
struct irq sic_input(struct sic *sic, unsigned input);

void sic_snap(struct sic *sic, struct snap *snap); /* save or load */
