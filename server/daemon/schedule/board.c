#include "server/daemon/schedule/board.h"

#define SECOND      1000000LL
#define STEADY      (10 * SECOND) /* a process that lived so long did not die of its start */
#define SPAWN_FIRST (SECOND / 10)
#define SPAWN_MOST  (10 * SECOND)
#define WORKED_MOST 2 /* doublings of SPAWN_FIRST */
#define CHECK_FIRST SECOND
#define CHECK_MOST  (60 * SECOND)

static int64_t doubled(int64_t first, unsigned times, int64_t most)
{
	int64_t value = first;

	while (times-- > 0 && value < most)
		value *= 2;
	return value < most ? value : most;
}

void board_init(struct board_state *board, bool boots, bool disabled, bool leased)
{
	*board = (struct board_state){
		.boots = boots, .disabled = disabled, .leased = leased, .check_at = INT64_MAX};
	board->phase = leased ? BOARD_BUSY : disabled ? BOARD_DISABLED : BOARD_UNKNOWN;
}

/* The phase of a board that holds no lease; want is what the event makes of an enabled one. */
static void settle(struct board_state *board, enum board_phase want)
{
	board->phase = board->leased ? BOARD_BUSY : board->disabled ? BOARD_DISABLED : want;
	if (board->phase != BOARD_UNKNOWN && board->phase != BOARD_UNREACHABLE) {
		board->check = false;
		board->check_at = INT64_MAX;
	}
}

/* Nothing is known of it: ask, and when no answer comes ask again. */
static void settle_unknown(struct board_state *board)
{
	settle(board, BOARD_UNKNOWN);
	if (board->phase != BOARD_UNKNOWN)
		return;
	if (board->boots && board->greeted)
		settle(board, BOARD_IDLE);
	else
		board->check = true;
}

static void died(struct board_state *board, int64_t now)
{
	if (board->alive && now - board->spawned >= STEADY)
		board->deaths = 0;
	/* One that got on is no one that dies of its start, and its attempt should not wait for long. */
	if (board->worked && board->deaths > WORKED_MOST)
		board->deaths = WORKED_MOST;
	board->alive = board->greeted = board->worked = false;
	board->spawn_at = now + doubled(SPAWN_FIRST, board->deaths, SPAWN_MOST);
	board->deaths++;
	board->bads = 0;
	settle_unknown(board);
}

static void unreachable(struct board_state *board, int64_t now)
{
	settle(board, BOARD_UNREACHABLE);
	if (board->phase != BOARD_UNREACHABLE)
		return;
	board->check = false;
	board->check_at = now + doubled(CHECK_FIRST, board->bads, CHECK_MOST);
	board->bads++;
}

static void time_passed(struct board_state *board, int64_t now)
{
	if (now < board->check_at)
		return;
	board->check_at = INT64_MAX;
	board->check = true;
}

static void released(struct board_state *board, bool good)
{
	board->leased = false;
	if (good && board->alive && board->greeted) {
		settle(board, BOARD_IDLE);
	} else {
		/* After a fault even a board that boots itself is asked. */
		settle(board, BOARD_UNKNOWN);
		board->check = board->phase == BOARD_UNKNOWN;
	}
}

bool board_apply(struct board_state *board, const struct board_event *event)
{
	enum board_phase before = board->phase;

	switch (event->kind) {
	case BOARD_EV_SPAWNED:
		board->alive = true;
		board->greeted = false;
		board->spawned = event->now;
		break;
	case BOARD_EV_DIED:
		died(board, event->now);
		break;
	case BOARD_EV_HELLO:
		board->greeted = true;
		if (board->phase == BOARD_UNKNOWN || board->phase == BOARD_UNREACHABLE)
			settle_unknown(board);
		break;
	case BOARD_EV_WORKED:
		board->worked = true;
		break;
	case BOARD_EV_REACHABLE:
		board->bads = 0;
		settle(board, BOARD_IDLE);
		break;
	case BOARD_EV_UNREACHABLE:
		unreachable(board, event->now);
		break;
	case BOARD_EV_LEASED:
		board->leased = true;
		settle(board, BOARD_BUSY);
		break;
	case BOARD_EV_RELEASED:
		released(board, event->good);
		break;
	case BOARD_EV_CHECKED:
		board->check = false;
		board->check_at = event->now + CHECK_MOST;
		break;
	case BOARD_EV_DISABLED:
		board->disabled = true;
		settle(board, BOARD_DISABLED);
		break;
	case BOARD_EV_ENABLED:
		board->disabled = false;
		if (board->phase == BOARD_DISABLED)
			settle_unknown(board);
		break;
	case BOARD_EV_TIME:
		time_passed(board, event->now);
		break;
	}
	return board->phase != before;
}

unsigned board_act(const struct board_state *board, int64_t now)
{
	unsigned acts = 0;

	if (!board->alive && now >= board->spawn_at)
		acts |= BOARD_ACT_SPAWN;
	if (board->check && board->greeted)
		acts |= BOARD_ACT_CHECK;
	return acts;
}

int64_t board_due(const struct board_state *board)
{
	if (!board->alive)
		return board->spawn_at;
	return board->check_at;
}

const char *board_phase_name(enum board_phase phase)
{
	static const char *const names[] = {"unknown", "idle", "busy", "unreachable", "disabled"};

	return names[phase];
}
