#include "server/daemon/schedule/run.h"

#include <stddef.h>
#include <string.h>

#define SECOND 1000000LL

bool run_ended(const struct run_state *run)
{
	return run->phase != RUN_QUEUED && run->phase != RUN_RUNNING;
}

/* How long a run waits after attempt ended with a fault: 1 s, 4 s, 16 s. */
static int64_t back_off(int64_t attempt)
{
	return attempt <= 1 ? SECOND : attempt == 2 ? 4 * SECOND : 16 * SECOND;
}

static bool apply_lease(struct run_state *run, const struct run_event *event)
{
	if (run->phase != RUN_QUEUED || run->waiting || run->fence != 0 || event->fence <= 0 ||
	    event->now < run->not_before)
		return false;
	run->phase = RUN_RUNNING;
	run->fence = event->fence;
	run->attempt++;
	return true;
}

static bool apply_cancel(struct run_state *run)
{
	if (run_ended(run))
		return false;
	run->cancelling = true;
	run->waiting = false;
	if (run->phase == RUN_QUEUED)
		run->phase = RUN_CANCELLED;
	return true;
}

static bool apply_built(struct run_state *run, const struct run_event *event)
{
	if (run->phase != RUN_QUEUED || !run->waiting)
		return false;
	run->waiting = false;
	if (event->kind == RUN_EV_UNBUILT)
		run->phase = RUN_FAILED;
	else
		run->expires = event->expires;
	return true;
}

static bool apply_ended(struct run_state *run, const struct run_event *event)
{
	if (run->phase != RUN_RUNNING || event->fence != run->fence)
		return false;
	if (run->cancelling || event->outcome == RUN_OUTCOME_CANCELLED) {
		run->phase = RUN_CANCELLED;
	} else if (event->outcome == RUN_OUTCOME_COMPLETE) {
		run->phase = RUN_DONE;
	} else if (run->attempt < run->max_attempts) {
		run->phase = RUN_QUEUED;
		run->not_before = event->now + back_off(run->attempt);
	} else {
		run->phase = RUN_FAILED;
	}
	return true;
}

bool run_apply(struct run_state *run, const struct run_event *event)
{
	switch (event->kind) {
	case RUN_EV_LEASE:
		return apply_lease(run, event);
	case RUN_EV_CANCEL:
		return apply_cancel(run);
	case RUN_EV_TIME:
		if (run->phase != RUN_QUEUED || run->waiting || event->now < run->expires)
			return false;
		run->phase = RUN_FAILED;
		return true;
	case RUN_EV_ENDED:
		return apply_ended(run, event);
	case RUN_EV_BUILT:
	case RUN_EV_UNBUILT:
		return apply_built(run, event);
	}
	return false;
}

unsigned run_act(const struct run_state *run)
{
	unsigned acts = 0;

	if (run->phase == RUN_RUNNING)
		acts |= RUN_ACT_RUN | (run->cancelling ? RUN_ACT_CANCEL : 0U);
	else if (run->fence != 0)
		acts |= RUN_ACT_RELEASE;
	if (run->phase == RUN_DONE || run->phase == RUN_FAILED)
		acts |= RUN_ACT_FILL;
	return acts;
}

void run_released(struct run_state *run)
{
	run->fence = 0;
}

int64_t run_due(const struct run_state *run)
{
	return run->phase == RUN_QUEUED && !run->waiting ? run->expires : INT64_MAX;
}

static const char *const phase_names[] = {"queued", "running", "done", "failed", "cancelled"};
static const char *const purpose_names[] = {"test", "build", "git"};
static const char *const outcome_names[] = {"complete", "cancelled", "fault"};

static bool word_find(const char *const *words, size_t count, const char *name, size_t *found)
{
	for (*found = 0; *found < count; (*found)++)
		if (strcmp(words[*found], name) == 0)
			return true;
	return false;
}

const char *run_phase_name(enum run_phase phase)
{
	return phase_names[phase];
}

bool run_phase_parse(const char *name, enum run_phase *phase)
{
	size_t i;

	if (!word_find(phase_names, sizeof(phase_names) / sizeof(phase_names[0]), name, &i))
		return false;
	*phase = (enum run_phase)i;
	return true;
}

bool run_purpose_parse(const char *name, enum run_purpose *purpose)
{
	size_t i;

	if (!word_find(purpose_names, sizeof(purpose_names) / sizeof(purpose_names[0]), name, &i))
		return false;
	*purpose = (enum run_purpose)i;
	return true;
}

const char *run_outcome_name(enum run_outcome outcome)
{
	return outcome_names[outcome];
}

bool run_outcome_parse(const char *name, enum run_outcome *outcome)
{
	size_t i;

	if (!word_find(outcome_names, sizeof(outcome_names) / sizeof(outcome_names[0]), name, &i))
		return false;
	*outcome = (enum run_outcome)i;
	return true;
}
