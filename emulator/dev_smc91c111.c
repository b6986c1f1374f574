#include "dev_smc91c111.h"

#include "common/xalloc.h"
#include "mii_phy.h"
#include "snap.h"

#include <stdlib.h>
#include <string.h>

/* Registers: the bank in the high digit. */
#define TCR       0x00u
#define EPHSR     0x02u
#define RCR       0x04u
#define COUNTERS  0x06u
#define MIR       0x08u
#define RPCR      0x0au
#define CONFIG    0x10u
#define BASE      0x12u
#define MAC       0x14u /* and 16, 18 */
#define GENERAL   0x1au
#define CONTROL   0x1cu
#define COMMAND   0x20u
#define PACKET    0x22u /* high byte: the result of an allocation */
#define FIFOS     0x24u
#define POINTER   0x26u
#define DATA      0x28u
#define INTERRUPT 0x2cu /* high byte: mask */
#define HASH      0x30u /* and 32, 34, 36 */
#define MII       0x38u
#define REVISION  0x3au
#define EARLY     0x3cu
#define BANK      0x0eu /* in each bank */

#define TCR_ENABLE 0x0001u
#define TCR_PAD    0x0080u
#define EPH_SENT   0x0001u
#define EPH_LINK   0x4000u
#define RCR_ALL    0x0002u
#define RCR_MULTI  0x0004u
#define RCR_ENABLE 0x0100u
#define RCR_RESET  0x8000u
#define CTL_RELOAD 0x0003u /* reload, store: done at once, there is no EEPROM */
#define CTL_FREE   0x0800u /* release what was sent */
#define PTR_RX     0x8000u
#define PTR_STEP   0x4000u
#define NONE       0x80u /* no packet */
#define MII_ENABLE 8u
#define MII_CLOCK  4u
#define MII_IN     2u
#define MII_OUT    1u

#define INT_RX       0x01u
#define INT_TX       0x02u
#define INT_TX_EMPTY 0x04u
#define INT_ALLOC    0x08u
#define INT_OVERRUN  0x10u
#define INT_KEPT     (INT_TX_EMPTY | INT_OVERRUN) /* until acknowledged */

#define RX_ODD       0x1000u
#define RX_BROADCAST 0x4000u
#define RX_MULTICAST 0x0001u
#define LAST_ODD     0x20u /* control byte: there is one more byte of data */

#define PACKETS      4u
#define PACKET_BYTES 2048u
#define OVERHEAD     6u /* status, length and control of a packet */

struct fifo {
	uint8_t packet[PACKETS];
	unsigned held;
};

struct smc91c111 {
	struct irq irq;
	struct wire wire;
	struct mii_phy phy;
	uint16_t reg[0x40 / 2]; /* by register number / 2; some are made when read */
	uint8_t bank;
	uint8_t allocated; /* what PACKET's high byte shows */
	bool wants_packet; /* an allocation waits */
	uint8_t raised;    /* of INT_KEPT and INT_ALLOC */
	unsigned used;     /* a bit a packet */
	struct fifo rx, sent;
	uint8_t memory[PACKETS][PACKET_BYTES];
};

static void update(struct smc91c111 *card);

static void fifo_put(struct fifo *fifo, uint8_t packet)
{
	if (fifo->held < PACKETS)
		fifo->packet[fifo->held++] = packet;
}

static uint8_t fifo_first(const struct fifo *fifo)
{
	return fifo->held ? fifo->packet[0] : NONE;
}

/* Take packet out, wherever it is. */
static void fifo_remove(struct fifo *fifo, uint8_t packet)
{
	unsigned kept = 0;

	for (unsigned n = 0; n < fifo->held; n++) {
		if (fifo->packet[n] != packet)
			fifo->packet[kept++] = fifo->packet[n];
	}
	fifo->held = kept;
}

static uint8_t take_free(struct smc91c111 *card)
{
	for (uint8_t n = 0; n < PACKETS; n++) {
		if (!(card->used & 1u << n)) {
			card->used |= 1u << n;
			return n;
		}
	}
	return NONE;
}

static unsigned free_packets(const struct smc91c111 *card)
{
	return PACKETS - (unsigned)__builtin_popcount(card->used);
}

static void try_allocate(struct smc91c111 *card)
{
	card->allocated = take_free(card);
	card->wants_packet = card->allocated == NONE;
	if (!card->wants_packet)
		card->raised |= INT_ALLOC;
}

static void release(struct smc91c111 *card, uint8_t packet)
{
	if (packet >= PACKETS)
		return;
	fifo_remove(&card->rx, packet);
	fifo_remove(&card->sent, packet);
	card->used &= ~(1u << packet);
	if (card->wants_packet)
		try_allocate(card);
}

static void reset_memory(struct smc91c111 *card)
{
	card->used = 0;
	card->allocated = NONE;
	card->wants_packet = false;
	card->raised = 0;
	card->rx.held = 0;
	card->sent.held = 0;
}

/* What a soft reset leaves alone: configuration, base and address. */
static void reset(struct smc91c111 *card)
{
	reset_memory(card);
	for (unsigned reg = 0; reg < 0x40; reg += 2) {
		if (reg < CONFIG || reg > GENERAL)
			card->reg[reg / 2] = 0;
	}
	card->reg[CONTROL / 2] = 0x1210;
	card->reg[REVISION / 2] = 0x3391;
	card->reg[EARLY / 2] = 0x001f;
	card->reg[MII / 2] = 0x3330;
	card->bank = 0;
}

/* Send packet: status, length, data, control word with the last byte of an odd length. */
static void send_packet(struct smc91c111 *card, uint8_t packet)
{
	uint8_t *bytes = card->memory[packet];
	size_t len = (size_t)(bytes[2] | bytes[3] << 8) & 0x7fe;

	if (len < OVERHEAD)
		len = OVERHEAD;
	len -= OVERHEAD;
	if (bytes[4 + len + 1] & LAST_ODD)
		len++;
	if (len < 60 && (card->reg[TCR / 2] & TCR_PAD)) {
		memset(bytes + 4 + len, 0, 60 - len);
		len = 60;
	}
	if (card->wire.send && len <= WIRE_FRAME)
		card->wire.send(card->wire.to, bytes + 4, len);
	bytes[0] = EPH_SENT;
	bytes[1] = EPH_LINK >> 8;
	card->raised |= INT_TX_EMPTY;
	if (card->reg[CONTROL / 2] & CTL_FREE)
		release(card, packet);
	else
		fifo_put(&card->sent, packet);
}

static void command(struct smc91c111 *card, unsigned what)
{
	uint8_t packet = card->reg[PACKET / 2] & 0x3f;

	switch (what >> 5) {
	case 1:
		card->raised &= (uint8_t)~INT_ALLOC;
		try_allocate(card);
		break;
	case 2:
		reset_memory(card);
		break;
	case 3: /* from the FIFO only: its memory is released by 5 */
		fifo_remove(&card->rx, fifo_first(&card->rx));
		break;
	case 4:
		release(card, fifo_first(&card->rx));
		break;
	case 5:
		release(card, packet);
		break;
	case 6:
		if (packet < PACKETS && (card->reg[TCR / 2] & TCR_ENABLE))
			send_packet(card, packet);
		break;
	case 7:
		card->sent.held = 0;
		break;
	default:
		break;
	}
	smc91c111_receive(card);
}

static bool is_for_us(const struct smc91c111 *card, const uint8_t *frame)
{
	const uint16_t *reg = card->reg;
	uint8_t own[6];

	memcpy(own, &reg[MAC / 2], sizeof(own));
	if (reg[RCR / 2] & RCR_ALL || memcmp(frame, "\xff\xff\xff\xff\xff\xff", 6) == 0)
		return true;
	if (!(frame[0] & 1))
		return memcmp(frame, own, 6) == 0;
	return reg[RCR / 2] & RCR_MULTI || reg[HASH / 2] || reg[HASH / 2 + 1] ||
	       reg[HASH / 2 + 2] || reg[HASH / 2 + 3];
}

static void put_half(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void take_frame(struct smc91c111 *card, const uint8_t *frame, size_t len)
{
	uint8_t packet = take_free(card);
	uint8_t *bytes = card->memory[packet];
	size_t even = len & ~(size_t)1;
	unsigned status = len & 1 ? RX_ODD : 0;

	if (frame[0] == 0xff)
		status |= RX_BROADCAST;
	else if (frame[0] & 1)
		status |= RX_MULTICAST;
	put_half(bytes, status);
	put_half(bytes + 2, (unsigned)(even + OVERHEAD));
	memcpy(bytes + 4, frame, len);
	if (len & 1)
		bytes[4 + len] = 0x40 | LAST_ODD;
	else
		put_half(bytes + 4 + len, 0x4000);
	fifo_put(&card->rx, packet);
}

bool smc91c111_is_on(const struct smc91c111 *card)
{
	return card->reg[RCR / 2] & RCR_ENABLE;
}

void smc91c111_receive(struct smc91c111 *card)
{
	uint8_t frame[WIRE_FRAME];

	/* One packet stays for sending. A card that is off loses what comes. */
	while (card->wire.next && (free_packets(card) > 1 || !smc91c111_is_on(card))) {
		size_t len = card->wire.next(card->wire.to, frame);

		if (len == 0)
			break;
		if (len >= 14 && smc91c111_is_on(card) && is_for_us(card, frame))
			take_frame(card, frame, len);
	}
	update(card);
}

static uint8_t interrupts(const struct smc91c111 *card)
{
	uint8_t now = card->raised;

	if (card->rx.held)
		now |= INT_RX;
	if (card->sent.held)
		now |= INT_TX;
	return now;
}

static void update(struct smc91c111 *card)
{
	irq_set(&card->irq, interrupts(card) & card->reg[INTERRUPT / 2] >> 8);
}

/* The byte of packet memory that POINTER shows; NULL when it shows no packet. */
static uint8_t *data_byte(struct smc91c111 *card)
{
	uint16_t *pointer = &card->reg[POINTER / 2];
	unsigned at = *pointer & (PACKET_BYTES - 1);
	uint8_t packet =
		*pointer & PTR_RX ? fifo_first(&card->rx) : (uint8_t)(card->reg[PACKET / 2] & 0x3f);

	if (*pointer & PTR_STEP)
		*pointer = (uint16_t)((*pointer & ~(PACKET_BYTES - 1)) |
		                      ((at + 1) & (PACKET_BYTES - 1)));
	return packet < PACKETS ? &card->memory[packet][at] : NULL;
}

static uint16_t read_half(const struct smc91c111 *card, unsigned reg)
{
	if ((reg & 0xf) == BANK)
		return 0x3300 | card->bank;
	switch (reg) {
	case EPHSR:
		return EPH_LINK | EPH_SENT;
	case COUNTERS:
	case COMMAND: /* never busy */
		return 0;
	case MIR:
		return (uint16_t)(free_packets(card) << 8 | PACKETS);
	case PACKET:
		return (uint16_t)(card->allocated << 8 | (card->reg[PACKET / 2] & 0x3f));
	case FIFOS:
		return (uint16_t)(fifo_first(&card->rx) << 8 | fifo_first(&card->sent));
	case INTERRUPT:
		return (uint16_t)((card->reg[INTERRUPT / 2] & 0xff00) | interrupts(card));
	case MII:
		return (uint16_t)((card->reg[MII / 2] & ~MII_IN) |
		                  (mii_phy_data(&card->phy) ? MII_IN : 0));
	default:
		return card->reg[reg / 2];
	}
}

/* The bytes in mask of register reg. */
static void write_half(struct smc91c111 *card, unsigned reg, uint16_t value, uint16_t mask)
{
	uint16_t *kept = &card->reg[reg / 2];
	uint16_t mixed = (uint16_t)((*kept & ~mask) | (value & mask));

	if ((reg & 0xf) == BANK) {
		card->bank = mask & 0xff ? value & 7 : card->bank;
		return;
	}
	switch (reg) {
	case RCR:
		if (mixed & RCR_RESET)
			reset(card);
		else
			*kept = mixed;
		break;
	case CONTROL:
		*kept = mixed & (uint16_t)~CTL_RELOAD;
		break;
	case COMMAND:
		if (mask & 0xff)
			command(card, value & 0xff);
		break;
	case INTERRUPT:
		card->raised &= (uint8_t) ~(value & mask & INT_KEPT);
		*kept = mixed & 0xff00;
		break;
	case MII:
		*kept = mixed;
		mii_phy_drive(&card->phy, mixed & MII_CLOCK, mixed & MII_ENABLE, mixed & MII_OUT);
		break;
	case REVISION:
		break;
	default:
		*kept = mixed;
		break;
	}
	update(card);
}

/* The register at an offset; banks 4 to 7 have none that is used, but BANK. */
static unsigned register_at(const struct smc91c111 *card, uint32_t offset)
{
	return (card->bank & 3u) << 4 | (offset & 0xf);
}

static bool has_register(const struct smc91c111 *card, uint32_t offset)
{
	return card->bank < 4 || (offset & 0xe) == BANK;
}

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	struct smc91c111 *card = device;
	uint32_t value = 0;

	for (unsigned n = 0; n < bytes; n++) {
		unsigned reg = register_at(card, offset + n);
		unsigned byte = 0;

		if (has_register(card, offset + n) && (reg & ~3u) == DATA) {
			const uint8_t *at = data_byte(card);

			byte = at ? *at : 0;
		} else if (has_register(card, offset + n)) {
			byte = read_half(card, reg & ~1u) >> 8 * (reg & 1) & 0xff;
		}
		value |= byte << 8 * n;
	}
	return value;
}

static void write_data(struct smc91c111 *card, unsigned bytes, uint32_t value)
{
	for (unsigned n = 0; n < bytes; n++) {
		uint8_t *at = data_byte(card);

		if (at)
			*at = (uint8_t)(value >> 8 * n);
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct smc91c111 *card = device;
	unsigned reg = register_at(card, offset);

	if (has_register(card, offset) && (reg & ~3u) == DATA) {
		write_data(card, bytes, value);
	} else if (bytes == 1) {
		if (has_register(card, offset))
			write_half(card, reg & ~1u, (uint16_t)(value << 8 * (reg & 1)),
			           (uint16_t)(0xffu << 8 * (reg & 1)));
	} else {
		for (unsigned n = 0; n < bytes; n += 2) {
			reg = register_at(card, offset + n);
			/* A word write at BANK - 2 is the driver's way to write BANK alone. */
			if (bytes == 4 && (reg & 0xf) == BANK - 2)
				continue;
			if (has_register(card, offset + n))
				write_half(card, reg & ~1u, (uint16_t)(value >> 8 * n), 0xffff);
		}
	}
}

struct smc91c111 *smc91c111_new(struct irq irq, struct wire wire)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
	struct smc91c111 *card = xcalloc(1, sizeof(*card));

	card->irq = irq;
	card->wire = wire;
	card->reg[CONFIG / 2] = 0xa0b1;
	card->reg[BASE / 2] = 0x1801;
	memcpy(&card->reg[MAC / 2], mac, sizeof(mac));
	mii_phy_reset(&card->phy);
	reset(card);
	return card;
}

void smc91c111_free(struct smc91c111 *card)
{
	free(card);
}

struct bus_device smc91c111_device(struct smc91c111 *card, uint32_t base)
{
	return (struct bus_device){"smc91c111", base, SMC91C111_SIZE, read, write, card};
}

void smc91c111_snap(struct smc91c111 *card, struct snap *snap)
{
	snap_part(snap, "smc91c111");
	SNAP(snap, card->phy);
	SNAP(snap, card->reg);
	SNAP(snap, card->bank);
	SNAP(snap, card->allocated);
	SNAP(snap, card->wants_packet);
	SNAP(snap, card->raised);
	SNAP(snap, card->used);
	SNAP(snap, card->rx);
	SNAP(snap, card->sent);
	SNAP(snap, card->memory);
	snap_need(snap, card->rx.held <= PACKETS && card->sent.held <= PACKETS && card->bank < 8);
}
