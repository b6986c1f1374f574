/* dev_pl011.h - PrimeCell UART: what is written goes out at once, what comes in waits in a FIFO. */
#pragma once
#include "bus.h"
#include "irq.h"

#include <stdbool.h>
#include <stdint.h>

#define PL011_SIZE 0x1000u

struct snap;
struct pl011;

/* put is called with each byte sent. */
struct pl011 *pl011_new(struct irq irq, void (*put)(void *to, uint8_t byte), void *to);
void pl011_free(struct pl011 *uart);
struct bus_device pl011_device(struct pl011 *uart, uint32_t base);

/* Whether pl011_receive() would take a byte now. */
bool pl011_has_room(const struct pl011 *uart);

/* A byte arrives on the wire; a full FIFO loses it. */
void pl011_receive(struct pl011 *uart, uint8_t byte);

void pl011_snap(struct pl011 *uart, struct snap *snap); /* save or load */
