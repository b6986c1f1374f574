/* dev_virtio_net.h - a network card by DMA (virtio-net, without offloads). A frame to send leaves at once. */
#pragma once
#include "bus.h"
#include "irq.h"
#include "wire.h"

#include <stdbool.h>

struct snap;
struct virtio_net; /* opaque: virtio_net_new(), virtio_net_free() */

struct virtio_net *virtio_net_new(struct wire wire, struct bus *bus, struct irq irq);
void virtio_net_free(struct virtio_net *net);
struct bus_device virtio_net_device(struct virtio_net *net, uint32_t base);

/* Whether the driver lets it receive. */
bool virtio_net_is_on(struct virtio_net *net);

/* Take frames from the wire while the driver has room for them. */
void virtio_net_receive(struct virtio_net *net);

void virtio_net_snap(struct virtio_net *net, struct snap *snap); /* save or load */
