/* carrier.h - who brings a delivery to the other side: SMTP, HTTP, or a test. A carrier blocks, and looks at *stop. */
#pragma once
#include "server/daemon/report/delivery.h"
#include "server/daemon/store/deliveries.h"

#include <stdatomic.h>

struct carrier_call {
	const struct delivery *delivery;
	/* To be called when all but the end of it is with the other side. -1: stop, it must not be ended. */
	int (*hand)(void *arg);
	void *arg;
	const _Atomic bool *stop; /* true: come back soon */
	char detail[400];         /* out: what the other side said, or why not */
};

struct carrier {
	/* DELIVERY_EV_SENT, TROUBLE, REFUSED or LOST. */
	enum delivery_event (*send)(void *self, struct carrier_call *call);
	void *self;
};
