/* dev_sp804.h - dual timer at 1 MHz. Nothing ticks: a value is computed when it is read, and who
 * runs the machine asks for the next event. */
#pragma once
#include "bus.h"
#include "clock.h"
#include "irq.h"

#include <stdint.h>

#define SP804_SIZE 0x1000u

struct snap;
struct sp804;

/* Both timers share the interrupt. The clock is borrowed. */
struct sp804 *sp804_new(const struct clock *clock, struct irq irq);
void sp804_free(struct sp804 *timer);
struct bus_device sp804_device(struct sp804 *timer, uint32_t base);

/* Raise what has expired by now_ns. Returns when the next interrupt is due, or CLOCK_NEVER. */
uint64_t sp804_update(struct sp804 *timer, uint64_t now_ns);

void sp804_snap(struct sp804 *timer, struct snap *snap); /* save or load */
