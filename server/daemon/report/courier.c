#include "server/daemon/report/courier.h"

#include "common/err.h"
#include "common/logline.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/store/store.h"
#include "server/daemon/worker.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#define RETRY_US INT64_C(1000000) /* after the store failed */
#define LOOK_US                                                                                    \
	INT64_C(60000000) /* at least so often while something waits: the clock may be set */

/* ---- One delivery ---- */

struct change {
	int64_t id, now;
	enum delivery_event event;
	const char *kind, *detail;
	bool applied;
};

static int change_write(struct db *db, void *arg, struct err *err)
{
	struct change *c = arg;

	return deliveries_apply(db, c->id, c->event, c->detail, c->now, &c->applied, err);
}

static int recover_write(struct db *db, void *arg, struct err *err)
{
	const struct change *c = arg;

	return deliveries_recover(db, c->kind, c->now, err);
}

struct handing {
	const struct courier_step *step;
	int64_t id;
};

/* On disk before the line that ends the mail goes out: whoever starts again knows that it may have been taken. */
static int hand(void *arg)
{
	const struct handing *h = arg;
	struct change change = {.id = h->id, .event = DELIVERY_EV_HAND, .now = h->step->clock()};
	struct err err;

	return store_write(h->step->store, change_write, &change, &err) == 0 && change.applied ? 0
	                                                                                       : -1;
}

/* The answer must come into the store, or the same mail would go out again. */
static void settle(const struct courier_step *step, struct change *change)
{
	struct err err;

	while (store_write(step->store, change_write, change, &err) < 0) {
		log_error("delivery %" PRId64 ": %s", change->id, err.text);
		if (atomic_load(step->stop))
			return;
		(void)poll(NULL, 0, (int)(RETRY_US / 1000));
	}
}

static int try_one(const struct courier_step *step, const struct delivery *delivery,
                   struct err *err)
{
	struct handing handing = {.step = step, .id = delivery->id};
	struct carrier_call call = {
		.delivery = delivery, .hand = hand, .arg = &handing, .stop = step->stop};
	struct change change = {
		.id = delivery->id, .event = DELIVERY_EV_START, .now = step->clock()};

	if (store_write(step->store, change_write, &change, err) < 0)
		return -1;
	if (!change.applied)
		return 1;
	change.event = step->carrier->send(step->carrier->self, &call);
	change.detail = call.detail;
	change.now = step->clock();
	if (change.event != DELIVERY_EV_SENT)
		log_warn("%s %" PRId64 " to %s: %s", step->kind, delivery->id, delivery->target,
		         call.detail);
	settle(step, &change);
	return 1;
}

int courier_step(const struct courier_step *step, int64_t *due, struct err *err)
{
	struct db *db = store_read_begin(step->store);
	struct delivery delivery;
	int rc = deliveries_next(db, step->kind, step->clock(), &delivery, due, err);

	store_read_end(step->store, db);
	if (rc == 1)
		rc = try_one(step, &delivery, err);
	delivery_release(&delivery);
	return rc;
}

int courier_recover(const struct courier_step *step, struct err *err)
{
	struct change change = {.kind = step->kind, .now = step->clock()};

	return store_write(step->store, recover_write, &change, err);
}

/* ---- The thread ---- */

struct courier {
	struct courier_step step;
	struct worker worker;
};

/* Until the next look, behind one that returned rc. */
static int64_t wait_us(const struct courier *c, int rc, int64_t due)
{
	int64_t left;

	if (rc != 0)
		return rc < 0 ? RETRY_US : 0;
	if (due == INT64_MAX)
		return WORKER_NO_LIMIT;
	left = due - c->step.clock();
	if (left < 0)
		return 0;
	return left < LOOK_US ? left : LOOK_US;
}

static void *courier_main(void *arg)
{
	struct courier *c = arg;
	bool recovered = false;

	while (!worker_is_ending(&c->worker)) {
		int64_t due = INT64_MAX;
		struct err err;
		int rc = recovered ? 0 : courier_recover(&c->step, &err);

		recovered |= rc == 0;
		if (recovered)
			rc = courier_step(&c->step, &due, &err);
		if (rc < 0)
			log_error("%s: %s", c->step.kind, err.text);
		(void)worker_wait(&c->worker, wait_us(c, rc, due));
	}
	return NULL;
}

struct courier *courier_open(struct store *store, const char *kind, const struct carrier *carrier,
                             struct err *err)
{
	struct courier *c = xcalloc(1, sizeof(*c));

	c->step = (struct courier_step){.store = store,
	                                .kind = kind,
	                                .carrier = carrier,
	                                .clock = time_wall_us,
	                                .stop = &c->worker.ending};
	if (worker_start(&c->worker, kind, courier_main, c, err) == 0)
		return c;
	free(c);
	return NULL;
}

void courier_kick(struct courier *courier)
{
	worker_kick(&courier->worker);
}

void courier_close(struct courier *courier)
{
	if (!courier)
		return;
	worker_end(&courier->worker);
	free(courier);
}
