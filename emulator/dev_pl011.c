#include "dev_pl011.h"

#include "common/xalloc.h"
#include "snap.h"

#include <stdlib.h>

#define DR   0x00u
#define FR   0x18u
#define IBRD 0x24u
#define FBRD 0x28u
#define LCRH 0x2cu
#define CR   0x30u
#define IFLS 0x34u
#define IMSC 0x38u
#define RIS  0x3cu
#define MIS  0x40u
#define ICR  0x44u

#define FR_RX_EMPTY 0x10u
#define FR_RX_FULL  0x40u
#define FR_TX_EMPTY 0x80u
#define INT_RX      0x10u
#define INT_TX      0x20u
#define INT_TIMEOUT 0x40u

#define FIFO 16u

struct pl011 {
	struct irq irq;
	void (*put)(void *to, uint8_t byte);
	void *to;
	uint32_t ibrd, fbrd, lcrh, cr, ifls, imsc, ris;
	uint8_t fifo[FIFO];
	unsigned first, held; /* of the fifo */
};

static const uint8_t ids[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static void update(struct pl011 *uart)
{
	irq_set(&uart->irq, uart->ris & uart->imsc);
}

static uint32_t take_byte(struct pl011 *uart)
{
	uint8_t byte = uart->fifo[uart->first];

	if (uart->held == 0)
		return 0;
	uart->first = (uart->first + 1) % FIFO;
	if (--uart->held == 0)
		uart->ris &= ~(INT_RX | INT_TIMEOUT);
	update(uart);
	return byte;
}

static uint32_t flags(const struct pl011 *uart)
{
	uint32_t value = FR_TX_EMPTY;

	if (uart->held == 0)
		value |= FR_RX_EMPTY;
	if (uart->held == FIFO)
		value |= FR_RX_FULL;
	return value;
}

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	struct pl011 *uart = device;

	(void)bytes;
	if (offset >= 0xfe0)
		return ids[(offset - 0xfe0) / 4];
	switch (offset) {
	case DR:
		return take_byte(uart);
	case FR:
		return flags(uart);
	case IBRD:
		return uart->ibrd;
	case FBRD:
		return uart->fbrd;
	case LCRH:
		return uart->lcrh;
	case CR:
		return uart->cr;
	case IFLS:
		return uart->ifls;
	case IMSC:
		return uart->imsc;
	case RIS:
		return uart->ris;
	case MIS:
		return uart->ris & uart->imsc;
	default:
		return 0;
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct pl011 *uart = device;

	(void)bytes;
	switch (offset) {
	case DR:
		uart->put(uart->to, (uint8_t)value);
		uart->ris |= INT_TX; /* sent already: there is room again */
		break;
	case IBRD:
		uart->ibrd = value & 0xffff;
		break;
	case FBRD:
		uart->fbrd = value & 0x3f;
		break;
	case LCRH:
		uart->lcrh = value & 0xff;
		break;
	case CR:
		uart->cr = value & 0xffff;
		break;
	case IFLS:
		uart->ifls = value & 0x3f;
		break;
	case IMSC:
		uart->imsc = value & 0x7ff;
		break;
	case ICR:
		uart->ris &= ~value;
		break;
	default:
		break;
	}
	update(uart);
}

struct pl011 *pl011_new(struct irq irq, void (*put)(void *to, uint8_t byte), void *to)
{
	struct pl011 *uart = xcalloc(1, sizeof(*uart));

	uart->irq = irq;
	uart->put = put;
	uart->to = to;
	uart->cr = 0x300;
	uart->ifls = 0x12;
	return uart;
}

void pl011_free(struct pl011 *uart)
{
	free(uart);
}

struct bus_device pl011_device(struct pl011 *uart, uint32_t base)
{
	return (struct bus_device){"pl011", base, PL011_SIZE, read, write, uart};
}

bool pl011_has_room(const struct pl011 *uart)
{
	return uart->held < FIFO;
}

void pl011_receive(struct pl011 *uart, uint8_t byte)
{
	if (!pl011_has_room(uart))
		return;
	uart->fifo[(uart->first + uart->held++) % FIFO] = byte;
	uart->ris |= INT_RX | INT_TIMEOUT;
	update(uart);
}

void pl011_snap(struct pl011 *uart, struct snap *snap)
{
	snap_part(snap, "pl011");
	SNAP(snap, uart->ibrd);
	SNAP(snap, uart->fbrd);
	SNAP(snap, uart->lcrh);
	SNAP(snap, uart->cr);
	SNAP(snap, uart->ifls);
	SNAP(snap, uart->imsc);
	SNAP(snap, uart->ris);
	SNAP(snap, uart->fifo);
	SNAP(snap, uart->first);
	SNAP(snap, uart->held);
	snap_need(snap, uart->first < FIFO && uart->held <= FIFO);
}
