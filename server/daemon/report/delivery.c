#include "server/daemon/report/delivery.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

static const int64_t waits[] = {10 * SECOND, 60 * SECOND, 300 * SECOND, 900 * SECOND};
static const char *const names[] = {"queued", "sending", "handed", "sent", "failed"};

#define PHASES (sizeof(names) / sizeof(names[0]))

const char *delivery_phase_name(enum delivery_phase phase)
{
	return names[phase];
}

bool delivery_phase_parse(const char *name, enum delivery_phase *phase)
{
	for (size_t i = 0; i < PHASES; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*phase = (enum delivery_phase)i;
		return true;
	}
	return false;
}

bool delivery_due(int64_t next_try, int64_t now)
{
	return next_try <= now || next_try > now + HOUR;
}

static void again(struct delivery_state *s, int64_t now)
{
	int64_t n = s->tries - 1;

	s->phase = s->tries >= DELIVERY_TRIES ? DELIVERY_FAILED : DELIVERY_QUEUED;
	s->next_try =
		now + (n >= 0 && n < (int64_t)(sizeof(waits) / sizeof(waits[0])) ? waits[n] : HOUR);
}

static void lost(struct delivery_state *s, int64_t now)
{
	if (s->phase == DELIVERY_SENDING) {
		again(s, now);
		return;
	}
	s->doubt++;
	again(s, now);
	if (s->doubt >= DELIVERY_DOUBT)
		s->phase = DELIVERY_FAILED;
}

bool delivery_apply(struct delivery_state *s, enum delivery_event event, int64_t now)
{
	bool out = s->phase == DELIVERY_SENDING || s->phase == DELIVERY_HANDED;

	switch (event) {
	case DELIVERY_EV_START:
		if (s->phase != DELIVERY_QUEUED)
			return false;
		s->phase = DELIVERY_SENDING;
		s->tries++;
		return true;
	case DELIVERY_EV_HAND:
		if (s->phase != DELIVERY_SENDING)
			return false;
		s->phase = DELIVERY_HANDED;
		return true;
	case DELIVERY_EV_SENT:
	case DELIVERY_EV_REFUSED:
		if (out)
			s->phase = event == DELIVERY_EV_SENT ? DELIVERY_SENT : DELIVERY_FAILED;
		return out;
	case DELIVERY_EV_TROUBLE:
		if (out)
			again(s, now);
		return out;
	case DELIVERY_EV_LOST:
		if (out)
			lost(s, now);
		return out;
	}
	return false;
}
