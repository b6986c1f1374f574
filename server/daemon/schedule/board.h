/* board.h - the states of a board and of its cohort-board process, pure as run.h is (docs/STATES.md, "Board").
 * Times are monotonic microseconds. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum board_phase { BOARD_UNKNOWN, BOARD_IDLE, BOARD_BUSY, BOARD_UNREACHABLE, BOARD_DISABLED };

struct board_state {
	enum board_phase phase;
	bool boots;    /* boot method `command`: reachable when cohort-board is there */
	bool disabled; /* a person said so; a running attempt goes on */
	bool leased;
	bool alive, greeted;   /* its process runs; it said hello */
	bool worked;           /* the living process did something for its attempt */
	bool check;            /* a health check is wanted and not yet sent */
	int64_t spawn_at;      /* when a dead process is started again */
	int64_t spawned;       /* when the living one was started */
	int64_t check_at;      /* when the next health check is due; INT64_MAX: none */
	unsigned deaths, bads; /* in a row */
};

enum board_event_kind {
	BOARD_EV_SPAWNED,
	BOARD_EV_DIED,        /* or could not be started */
	BOARD_EV_HELLO,       /* cohort-board speaks */
	BOARD_EV_WORKED,      /* its attempt's journal grew */
	BOARD_EV_REACHABLE,   /* it says that the board is there and free */
	BOARD_EV_UNREACHABLE, /* it says that it is not */
	BOARD_EV_LEASED,
	BOARD_EV_RELEASED, /* good: no fault of the farm ended the attempt */
	BOARD_EV_CHECKED,  /* a check was sent */
	BOARD_EV_DISABLED,
	BOARD_EV_ENABLED,
	BOARD_EV_TIME,
};

struct board_event {
	enum board_event_kind kind;
	int64_t now;
	bool good; /* BOARD_EV_RELEASED */
};

void board_init(struct board_state *board, bool boots, bool disabled, bool leased);

/* Change board by event. True when its phase changed. */
bool board_apply(struct board_state *board, const struct board_event *event);

enum board_act {
	BOARD_ACT_SPAWN = 1, /* start cohort-board; then BOARD_EV_SPAWNED or BOARD_EV_DIED */
	BOARD_ACT_CHECK = 2, /* send `check`; then BOARD_EV_CHECKED */
};

/* What is to be done about board: a set of enum board_act. */
unsigned board_act(const struct board_state *board, int64_t now);

/* When time alone will change something: INT64_MAX for never. */
int64_t board_due(const struct board_state *board);

const char *board_phase_name(enum board_phase phase);
