#include "server/daemon/schedule/build.h"

#include <string.h>

bool build_settled(const struct build_state *build)
{
	return build->phase == BUILD_COMPLETE || build->phase == BUILD_FAILED;
}

bool build_want(struct build_state *build)
{
	if (build->phase != BUILD_FAILED || !build->farm)
		return false;
	*build = (struct build_state){.phase = BUILD_WAITING};
	return true;
}

static struct build_state after(enum run_phase run, enum build_made made, bool others)
{
	switch (run) {
	case RUN_QUEUED:
		break;
	case RUN_RUNNING:
		return (struct build_state){.phase = BUILD_BUILDING};
	case RUN_DONE:
		if (made == BUILD_MADE_KERNEL)
			return (struct build_state){.phase = BUILD_COMPLETE};
		return (struct build_state){.phase = BUILD_FAILED,
		                            .farm = made == BUILD_MADE_NOTHING};
	case RUN_FAILED:
		return (struct build_state){.phase = BUILD_FAILED, .farm = true};
	case RUN_CANCELLED:
		if (others)
			break;
		return (struct build_state){.phase = BUILD_FAILED, .farm = true};
	}
	return (struct build_state){.phase = BUILD_WAITING};
}

bool build_follow(struct build_state *build, enum run_phase run, enum build_made made, bool others)
{
	struct build_state next = after(run, made, others);

	if (build_settled(build) || (next.phase == build->phase && run != RUN_CANCELLED))
		return false;
	*build = next;
	return true;
}

bool build_lets_run(const struct build_state *own, int64_t round, bool slot_settled)
{
	return own->phase == BUILD_COMPLETE && (round <= 1 || slot_settled);
}

static const char *const names[] = {"waiting", "building", "complete", "failed"};

const char *build_phase_name(enum build_phase phase)
{
	return names[phase];
}

bool build_phase_parse(const char *name, enum build_phase *phase)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0) {
			*phase = (enum build_phase)i;
			return true;
		}
	return false;
}
