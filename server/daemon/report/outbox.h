/* outbox.h - deliveries for webhooks, made from the events behind a cursor that moves in the same transaction. */
#pragma once
#include "server/daemon/report/facts.h"
#include "server/daemon/report/hooks.h"

struct err;
struct store;

/* Take in what happened since the last step. *made: there are new deliveries. 0, or -1 with *err. */
int outbox_step(struct store *store, const struct hooks *hooks, const struct facts_source *source,
                int64_t now_us, bool *made, struct err *err);
