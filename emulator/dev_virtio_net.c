#include "dev_virtio_net.h"

#include "common/xalloc.h"
#include "snap.h"
#include "virtio.h"

#include <stdlib.h>
#include <string.h>

#define F_MAC    ((uint64_t)1 << 5)
#define F_STATUS ((uint64_t)1 << 16)

#define RX        0u
#define TX        1u
#define QUEUE_MAX 256u
#define HEADER    12u /* in front of each frame; without offloads only num_buffers in it is not 0 */

struct virtio_net {
	struct wire wire;
	struct virtio *virtio; /* owned */
};

/* Address, and status: the link is up. */
static const uint8_t config[8] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x57, 1, 0};

static void send_frames(struct virtio_net *net)
{
	struct virtio_chain chain;
	uint8_t frame[WIRE_FRAME];

	for (unsigned n = 0; n < QUEUE_MAX && virtio_take(net->virtio, TX, &chain); n++) {
		uint32_t len = chain.out_bytes > HEADER ? chain.out_bytes - HEADER : 0;

		if (len >= 14 && len <= sizeof(frame) && net->wire.send &&
		    virtio_get(net->virtio, &chain, HEADER, frame, len))
			net->wire.send(net->wire.to, frame, len);
		virtio_done(net->virtio, TX, &chain, 0);
	}
}

bool virtio_net_is_on(struct virtio_net *net)
{
	return virtio_is_on(net->virtio);
}

/* A frame that its buffer cannot hold is lost. */
static void take_frame(struct virtio_net *net, const uint8_t *frame, uint32_t len)
{
	static const uint8_t header[HEADER] = {[10] = 1};
	struct virtio_chain chain;
	bool fits;

	if (!virtio_take(net->virtio, RX, &chain))
		return;
	fits = chain.in_bytes >= HEADER + len &&
	       virtio_put(net->virtio, &chain, 0, header, HEADER) &&
	       virtio_put(net->virtio, &chain, HEADER, frame, len);
	virtio_done(net->virtio, RX, &chain, fits ? HEADER + len : 0);
}

void virtio_net_receive(struct virtio_net *net)
{
	uint8_t frame[WIRE_FRAME];

	/* A card that is off loses what comes. */
	while (net->wire.next && (!virtio_is_on(net->virtio) || virtio_has(net->virtio, RX))) {
		size_t len = net->wire.next(net->wire.to, frame);

		if (len == 0)
			break;
		if (virtio_is_on(net->virtio))
			take_frame(net, frame, (uint32_t)len);
	}
}

static void notify(void *device, unsigned queue)
{
	if (queue == TX)
		send_frames(device);
	else
		virtio_net_receive(device);
}

struct virtio_net *virtio_net_new(struct wire wire, struct bus *bus, struct irq irq)
{
	struct virtio_net *net = xcalloc(1, sizeof(*net));
	const struct virtio_kind kind = {
		.name = "virtio-net",
		.id = 1,
		.features = F_MAC | F_STATUS,
		.queues = 2,
		.queue_max = QUEUE_MAX,
		.config = config,
		.config_len = sizeof(config),
		.notify = notify,
		.device = net,
	};

	net->wire = wire;
	net->virtio = virtio_new(&kind, bus, irq);
	return net;
}

void virtio_net_free(struct virtio_net *net)
{
	if (!net)
		return;
	virtio_free(net->virtio);
	free(net);
}

struct bus_device virtio_net_device(struct virtio_net *net, uint32_t base)
{
	return virtio_device(net->virtio, base);
}

void virtio_net_snap(struct virtio_net *net, struct snap *snap)
{
	virtio_snap(net->virtio, snap);
}
