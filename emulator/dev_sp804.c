#include "dev_sp804.h"

#include "common/xalloc.h"
#include "snap.h"

#include <stdbool.h>
#include <stdlib.h>

#define LOAD   0x00u
#define VALUE  0x04u
#define CTRL   0x08u
#define INTCLR 0x0cu
#define RIS    0x10u
#define MIS    0x14u
#define BGLOAD 0x18u

#define CTRL_ONESHOT  0x01u
#define CTRL_32BIT    0x02u
#define CTRL_PRESCALE 0x0cu
#define CTRL_IRQ      0x20u
#define CTRL_PERIODIC 0x40u
#define CTRL_ENABLE   0x80u

#define TICK_NS 1000u

struct counter {
	uint32_t load, ctrl;
	uint32_t value;    /* at since_ns */
	uint64_t since_ns; /* when the counter was last looked at, on a tick */
	bool raised;       /* RIS */
};

struct sp804 {
	const struct clock *clock;
	struct irq irq;
	struct counter counter[2];
};

static const uint8_t ids[] = {0x04, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint64_t tick_ns(const struct counter *c)
{
	return (uint64_t)TICK_NS << 4 * ((c->ctrl & CTRL_PRESCALE) >> 2);
}

static uint32_t top_of(const struct counter *c)
{
	if (c->ctrl & CTRL_PERIODIC)
		return c->load;
	return c->ctrl & CTRL_32BIT ? UINT32_MAX : UINT16_MAX;
}

/* Ticks until it reaches 0, where the interrupt is. */
static uint64_t ticks_left(const struct counter *c)
{
	if (!(c->ctrl & CTRL_ENABLE) || ((c->ctrl & CTRL_ONESHOT) && c->value == 0))
		return CLOCK_NEVER;
	return c->value ? c->value : (uint64_t)top_of(c) + 1;
}

/* Bring value and RIS up to now. A periodic counter shows 0 for one tick and then its load again. */
static void advance(struct counter *c, uint64_t now_ns)
{
	uint64_t ticks, period;

	if (!(c->ctrl & CTRL_ENABLE)) {
		c->since_ns = now_ns;
		return;
	}
	ticks = (now_ns - c->since_ns) / tick_ns(c);
	c->since_ns += ticks * tick_ns(c);
	if (ticks >= ticks_left(c))
		c->raised = true;
	if (ticks <= c->value) {
		c->value -= (uint32_t)ticks;
	} else if (c->ctrl & CTRL_ONESHOT) {
		c->value = 0;
	} else {
		period = (uint64_t)top_of(c) + 1;
		c->value = (uint32_t)(period - 1 - (ticks - c->value - 1) % period);
	}
}

uint64_t sp804_update(struct sp804 *timer, uint64_t now_ns)
{
	uint64_t next = CLOCK_NEVER;
	bool level = false;

	for (unsigned i = 0; i < 2; i++) {
		struct counter *c = &timer->counter[i];
		uint64_t ticks;

		advance(c, now_ns);
		ticks = ticks_left(c);
		level = level || (c->raised && (c->ctrl & CTRL_IRQ));
		if ((c->ctrl & CTRL_IRQ) && ticks != CLOCK_NEVER &&
		    c->since_ns + ticks * tick_ns(c) < next)
			next = c->since_ns + ticks * tick_ns(c);
	}
	irq_set(&timer->irq, level);
	return next;
}

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	struct sp804 *timer = device;
	const struct counter *c = &timer->counter[offset >> 5 & 1];

	(void)bytes;
	if (offset >= 0xfe0)
		return ids[(offset - 0xfe0) / 4];
	if (offset >= 0x40)
		return 0;
	(void)sp804_update(timer, clock_now(timer->clock));
	switch (offset & 0x1f) {
	case LOAD:
	case BGLOAD:
		return c->load;
	case VALUE:
		return c->value;
	case CTRL:
		return c->ctrl;
	case RIS:
		return c->raised;
	case MIS:
		return c->raised && (c->ctrl & CTRL_IRQ);
	default:
		return 0;
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct sp804 *timer = device;
	struct counter *c = &timer->counter[offset >> 5 & 1];
	uint64_t now = clock_now(timer->clock);

	(void)bytes;
	if (offset >= 0x40)
		return;
	(void)sp804_update(timer, now);
	switch (offset & 0x1f) {
	case LOAD:
		c->load = value;
		c->value = value;
		c->since_ns = now;
		break;
	case BGLOAD:
		c->load = value;
		break;
	case CTRL:
		c->ctrl = value & 0xff;
		c->since_ns = now;
		break;
	case INTCLR:
		c->raised = false;
		break;
	default:
		break;
	}
	(void)sp804_update(timer, now);
	clock_changed(timer->clock);
}

struct sp804 *sp804_new(const struct clock *clock, struct irq irq)
{
	struct sp804 *timer = xcalloc(1, sizeof(*timer));

	timer->clock = clock;
	timer->irq = irq;
	for (unsigned i = 0; i < 2; i++) {
		timer->counter[i].value = UINT32_MAX;
		timer->counter[i].ctrl = CTRL_IRQ;
	}
	return timer;
}

void sp804_free(struct sp804 *timer)
{
	free(timer);
}

struct bus_device sp804_device(struct sp804 *timer, uint32_t base)
{
	return (struct bus_device){"sp804", base, SP804_SIZE, read, write, timer};
}

void sp804_snap(struct sp804 *timer, struct snap *snap)
{
	snap_part(snap, "sp804");
	SNAP(snap, timer->counter);
}
