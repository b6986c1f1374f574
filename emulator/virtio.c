#include "virtio.h"

#include "common/xalloc.h"
#include "host.h"
#include "snap.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC         0x000u
#define VERSION       0x004u
#define DEVICE_ID     0x008u
#define VENDOR_ID     0x00cu
#define OFFERED       0x010u
#define OFFERED_SEL   0x014u
#define TAKEN         0x020u
#define TAKEN_SEL     0x024u
#define QUEUE_SEL     0x030u
#define QUEUE_NUM_MAX 0x034u
#define QUEUE_NUM     0x038u
#define QUEUE_READY   0x044u
#define NOTIFY        0x050u
#define INT_STATUS    0x060u
#define INT_ACK       0x064u
#define STATUS        0x070u
#define DESC_LOW      0x080u /* and high behind it, as of the next two */
#define AVAIL_LOW     0x090u
#define USED_LOW      0x0a0u
#define SHM_LEN_LOW   0x0b0u
#define SHM_BASE_HIGH 0x0bcu
#define GENERATION    0x0fcu
#define CONFIG        0x100u

#define F_INDIRECT        ((uint64_t)1 << 28)
#define F_VERSION_1       ((uint64_t)1 << 32)
#define F_ACCESS_PLATFORM ((uint64_t)1 << 33)
#define F_NEEDED          (F_VERSION_1 | F_ACCESS_PLATFORM)

#define STATUS_DRIVER_OK   0x04u
#define STATUS_FEATURES_OK 0x08u
#define STATUS_NEEDS_RESET 0x40u

#define INT_USED   1u
#define INT_CONFIG 2u

#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u
#define NO_INTERRUPT  1u

struct queue {
	uint32_t num;
	uint32_t ready;
	uint64_t desc, avail, used; /* where they are */
	uint16_t next_avail, next_used;
};

struct descriptor {
	uint64_t address;
	uint32_t len;
	uint16_t flags, next;
};

struct virtio {
	struct virtio_kind kind;
	struct bus *bus; /* borrowed */
	struct irq irq;
	uint32_t offered_sel, taken_sel, queue_sel;
	uint64_t taken; /* features */
	uint32_t status, interrupts;
	struct queue queue[VIRTIO_QUEUES];
};

static uint64_t offered(const struct virtio *virtio)
{
	return virtio->kind.features | F_NEEDED | F_INDIRECT;
}

static void raise_interrupt(struct virtio *virtio, uint32_t why)
{
	virtio->interrupts |= why;
	irq_set(&virtio->irq, true);
}

void virtio_break(struct virtio *virtio)
{
	virtio->status |= STATUS_NEEDS_RESET;
	raise_interrupt(virtio, INT_CONFIG);
}

bool virtio_is_on(const struct virtio *virtio)
{
	return (virtio->status & STATUS_DRIVER_OK) && (virtio->status & STATUS_FEATURES_OK) &&
	       !(virtio->status & STATUS_NEEDS_RESET);
}

static void reset(struct virtio *virtio)
{
	virtio->offered_sel = virtio->taken_sel = virtio->queue_sel = 0;
	virtio->taken = 0;
	virtio->status = virtio->interrupts = 0;
	memset(virtio->queue, 0, sizeof(virtio->queue));
	irq_set(&virtio->irq, false);
	if (virtio->kind.reset)
		virtio->kind.reset(virtio->kind.device);
}

/* A half of the ring, in memory: all of it or it breaks the device. */
static bool dma_half(struct virtio *virtio, uint64_t address, uint16_t *value)
{
	if (bus_dma_get(virtio->bus, address, value, sizeof(*value)))
		return true;
	virtio_break(virtio);
	return false;
}

bool virtio_has(struct virtio *virtio, unsigned queue)
{
	struct queue *q = &virtio->queue[queue];
	uint16_t index;

	return virtio_is_on(virtio) && q->ready && dma_half(virtio, q->avail + 2, &index) &&
	       index != q->next_avail;
}

static bool add_segment(struct virtio *virtio, struct virtio_chain *chain,
                        const struct descriptor *desc)
{
	bool in = desc->flags & DESC_WRITE;
	uint32_t *bytes = in ? &chain->in_bytes : &chain->out_bytes;
	struct virtio_segment *segment;

	if (chain->ins + chain->outs >= VIRTIO_SEGMENTS || (!in && chain->ins > 0) ||
	    desc->address > UINT32_MAX || desc->len > VIRTIO_CHAIN_MAX - *bytes ||
	    !bus_ram(virtio->bus, (uint32_t)desc->address, desc->len))
		return false;
	segment = in ? &chain->in[chain->ins++] : &chain->out[chain->outs++];
	*segment = (struct virtio_segment){(uint32_t)desc->address, desc->len};
	*bytes += desc->len;
	return true;
}

/* Follow a chain through a table of num descriptors; an indirect one leads once to a table of its own. */
static bool follow(struct virtio *virtio, struct virtio_chain *chain, uint64_t table, uint32_t num,
                   uint32_t at)
{
	bool indirect = false;

	for (unsigned steps = 0; steps <= VIRTIO_SEGMENTS; steps++) {
		struct descriptor desc;

		if (at >= num || !bus_dma_get(virtio->bus, table + (uint64_t)at * sizeof(desc),
		                              &desc, sizeof(desc)))
			return false;
		if (desc.flags & DESC_INDIRECT) {
			if (indirect || desc.flags & DESC_NEXT || desc.len % sizeof(desc) != 0)
				return false;
			indirect = true;
			table = desc.address;
			num = desc.len / (uint32_t)sizeof(desc);
			at = 0;
			continue;
		}
		if (!add_segment(virtio, chain, &desc))
			return false;
		if (!(desc.flags & DESC_NEXT))
			return true;
		at = desc.next;
	}
	return false;
}

bool virtio_take(struct virtio *virtio, unsigned queue, struct virtio_chain *chain)
{
	struct queue *q = &virtio->queue[queue];

	if (!virtio_has(virtio, queue) ||
	    !dma_half(virtio, q->avail + 4 + 2u * (q->next_avail % q->num), &chain->head))
		return false;
	q->next_avail++;
	chain->outs = chain->ins = 0;
	chain->out_bytes = chain->in_bytes = 0;
	if (follow(virtio, chain, q->desc, q->num, chain->head))
		return true;
	virtio_break(virtio);
	return false;
}

void virtio_done(struct virtio *virtio, unsigned queue, const struct virtio_chain *chain,
                 uint32_t written)
{
	struct queue *q = &virtio->queue[queue];
	const uint32_t element[2] = {chain->head, written};
	uint16_t flags;

	if (!virtio_is_on(virtio) || !q->ready)
		return;
	if (!bus_dma_put(virtio->bus, q->used + 4 + 8u * (q->next_used % q->num), element,
	                 sizeof(element))) {
		virtio_break(virtio);
		return;
	}
	q->next_used++;
	if (!bus_dma_put(virtio->bus, q->used + 2, &q->next_used, sizeof(q->next_used))) {
		virtio_break(virtio);
		return;
	}
	if (dma_half(virtio, q->avail, &flags) && !(flags & NO_INTERRUPT))
		raise_interrupt(virtio, INT_USED);
}

/* Walk the segments with bytes in hand; exactly one of to and from is not NULL. */
static bool copy(struct virtio *virtio, const struct virtio_segment *segment, uint32_t offset,
                 uint8_t *to, const uint8_t *from, uint32_t len)
{
	for (; len > 0; segment++) {
		uint32_t part = segment->len > offset ? segment->len - offset : 0;

		part = part < len ? part : len;
		if (part == 0) {
			offset -= segment->len;
			continue;
		}
		if (!(to ? bus_dma_get(virtio->bus, segment->address + offset, to, part)
		         : bus_dma_put(virtio->bus, segment->address + offset, from, part)))
			return false;
		to = to ? to + part : NULL;
		from = from ? from + part : NULL;
		len -= part;
		offset = 0;
	}
	return true;
}

bool virtio_get(struct virtio *virtio, const struct virtio_chain *chain, uint32_t offset, void *to,
                uint32_t len)
{
	if (offset > chain->out_bytes || len > chain->out_bytes - offset)
		return false;
	return copy(virtio, chain->out, offset, to, NULL, len);
}

bool virtio_put(struct virtio *virtio, const struct virtio_chain *chain, uint32_t offset,
                const void *from, uint32_t len)
{
	if (offset > chain->in_bytes || len > chain->in_bytes - offset)
		return false;
	return copy(virtio, chain->in, offset, NULL, from, len);
}

static struct queue *selected(struct virtio *virtio)
{
	return virtio->queue_sel < virtio->kind.queues ? &virtio->queue[virtio->queue_sel] : NULL;
}

static uint32_t read_config(const struct virtio *virtio, uint32_t offset, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned n = 0; n < bytes; n++) {
		if (offset + n < virtio->kind.config_len)
			value |= (uint32_t)virtio->kind.config[offset + n] << 8 * n;
	}
	return value;
}

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	struct virtio *virtio = device;
	const struct queue *q = selected(virtio);

	if (offset >= CONFIG)
		return read_config(virtio, offset - CONFIG, bytes);
	if (offset >= SHM_LEN_LOW && offset <= SHM_BASE_HIGH)
		return UINT32_MAX; /* there is no shared memory */
	switch (offset) {
	case MAGIC:
		return 0x74726976;
	case VERSION:
		return 2;
	case DEVICE_ID:
		return virtio->kind.id;
	case VENDOR_ID:
		return 0x554d4543;
	case OFFERED:
		return virtio->offered_sel < 2
		               ? (uint32_t)(offered(virtio) >> 32 * virtio->offered_sel)
		               : 0;
	case QUEUE_NUM_MAX:
		return q ? virtio->kind.queue_max : 0;
	case QUEUE_READY:
		return q ? q->ready : 0;
	case INT_STATUS:
		return virtio->interrupts;
	case STATUS:
		return virtio->status;
	default:
		return 0;
	}
}

/* The driver says that a queue is there: all of its rings must be. */
static void set_ready(struct virtio *virtio, struct queue *q, uint32_t value)
{
	q->ready = value & 1;
	if (!q->ready)
		return;
	q->next_avail = q->next_used = 0;
	if (q->num == 0 || q->num > virtio->kind.queue_max || q->num & (q->num - 1) ||
	    q->desc % 16 != 0 || q->avail % 2 != 0 || q->used % 4 != 0) {
		q->ready = 0;
		virtio_break(virtio);
	}
}

static void set_status(struct virtio *virtio, uint32_t value)
{
	uint32_t added = value & ~virtio->status;

	if (value == 0) {
		reset(virtio);
		return;
	}
	if ((added & STATUS_FEATURES_OK) &&
	    ((virtio->taken & ~offered(virtio)) != 0 || (virtio->taken & F_NEEDED) != F_NEEDED))
		value &= ~STATUS_FEATURES_OK;
	virtio->status = (value & 0xffu) | (virtio->status & STATUS_NEEDS_RESET);
}

static void set_half(uint64_t *whole, bool high, uint32_t value)
{
	const uint64_t mask = high ? UINT32_MAX : (uint64_t)UINT32_MAX << 32;

	*whole = (*whole & mask) | (uint64_t)value << (high ? 32 : 0);
}

/* Registers of the selected queue. */
static void write_queue(struct virtio *virtio, uint32_t offset, uint32_t value)
{
	struct queue *q = selected(virtio);

	if (!q)
		return;
	switch (offset & ~4u) {
	case QUEUE_NUM & ~4u:
		q->num = value;
		break;
	case QUEUE_READY & ~4u:
		set_ready(virtio, q, value);
		break;
	case DESC_LOW:
		set_half(&q->desc, offset & 4, value);
		break;
	case AVAIL_LOW:
		set_half(&q->avail, offset & 4, value);
		break;
	case USED_LOW:
		set_half(&q->used, offset & 4, value);
		break;
	default:
		break;
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct virtio *virtio = device;

	if (bytes != 4)
		return;
	switch (offset) {
	case OFFERED_SEL:
		virtio->offered_sel = value;
		break;
	case TAKEN:
		if (virtio->taken_sel < 2)
			set_half(&virtio->taken, virtio->taken_sel, value);
		break;
	case TAKEN_SEL:
		virtio->taken_sel = value;
		break;
	case QUEUE_SEL:
		virtio->queue_sel = value;
		break;
	case NOTIFY:
		if (value < virtio->kind.queues && virtio_is_on(virtio))
			virtio->kind.notify(virtio->kind.device, value);
		break;
	case INT_ACK:
		virtio->interrupts &= ~value;
		irq_set(&virtio->irq, virtio->interrupts);
		break;
	case STATUS:
		set_status(virtio, value);
		break;
	default:
		write_queue(virtio, offset, value);
		break;
	}
}

struct virtio *virtio_new(const struct virtio_kind *kind, struct bus *bus, struct irq irq)
{
	struct virtio *virtio = xcalloc(1, sizeof(*virtio));

	virtio->kind = *kind;
	virtio->bus = bus;
	virtio->irq = irq;
	return virtio;
}

void virtio_free(struct virtio *virtio)
{
	free(virtio);
}

struct bus_device virtio_device(struct virtio *virtio, uint32_t base)
{
	return (struct bus_device){virtio->kind.name, base, VIRTIO_SIZE, read, write, virtio};
}

static void queue_snap(const struct virtio *virtio, struct queue *q, struct snap *snap)
{
	SNAP(snap, q->num);
	SNAP(snap, q->ready);
	SNAP(snap, q->desc);
	SNAP(snap, q->avail);
	SNAP(snap, q->used);
	SNAP(snap, q->next_avail);
	SNAP(snap, q->next_used);
	snap_need(snap, !q->ready || (q->num > 0 && q->num <= virtio->kind.queue_max));
}

void virtio_snap(struct virtio *virtio, struct snap *snap)
{
	snap_part(snap, virtio->kind.name);
	SNAP(snap, virtio->offered_sel);
	SNAP(snap, virtio->taken_sel);
	SNAP(snap, virtio->queue_sel);
	SNAP(snap, virtio->taken);
	SNAP(snap, virtio->status);
	SNAP(snap, virtio->interrupts);
	for (unsigned n = 0; n < virtio->kind.queues; n++)
		queue_snap(virtio, &virtio->queue[n], snap);
}
