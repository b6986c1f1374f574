/* irq.h - one interrupt wire from a device to an input of a controller or of the core. */
#pragma once
#include <stdbool.h>

struct irq {
	void (*set)(void *to, unsigned input, bool level);
	void *to; /* borrowed */
	unsigned input;
};

static inline void irq_set(const struct irq *irq, bool level)
{
	if (irq->set)
		irq->set(irq->to, irq->input, level);
}
