/* farm_private.h - the inside of the farm: one thread, one loop; nothing here is locked. */
#pragma once
#include "common/lines.h"
#include "server/daemon/farm/agents.h"
#include "server/daemon/farm/farm.h"
#include "server/daemon/farm/follow.h"
#include "server/daemon/farm/keeper.h"
#include "server/daemon/schedule/board.h"
#include "server/daemon/schedule/schedule.h"
#include "server/daemon/schedule/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define FARM_REREAD    2000000LL /* a busy board's journal is looked at so often without a hint */
#define FARM_RETRY     1000000LL /* after the store or the disk failed */
#define FARM_DEATHS    8         /* of cohort-board in a row without a test that finished */
#define FARM_QUIT_WAIT 15000000LL
#define FARM_LEASES    256   /* that one transaction gives */
#define HINT_MAX       65536 /* bytes of a line from cohort-board */

struct board;

/* What epoll gives back. */
struct watch {
	struct board *board; /* NULL: the farm's own eventfd */
	bool process;        /* its pidfd; else its stdout */
};

/* The attempt that holds a board's lease. */
struct attempt {
	struct follow follow;
	struct keep *
		keep; /* owned: files of the pending entries, which wait for them; NULL: nothing is waited for */
	char *dir;         /* owned */
	int64_t max_quiet; /* us without a new line until cohort-board is given up */
	bool requested;    /* request.json is there */
	bool run_sent;     /* to the living cohort-board */
	bool cancel, cancel_sent;
	int64_t request_at; /* monotonic, as the next two: when request.json is tried */
	int64_t reread_at, quiet_since;
	unsigned deaths;   /* of cohort-board since a test finished */
	struct err broken; /* of the farm's own making: no request, no sign of life */
	const char *broken_code;
};

struct board {
	struct farm *farm;
	int64_t id, stamp;                   /* row and its `updated` */
	int seat;                            /* in the schedule */
	char *name, *arch, *document, *path; /* owned; path: of the board file */
	int64_t memory_mib;
	struct board_state state;
	struct attempt *attempt; /* owned; NULL: no lease */

	pid_t pid;          /* 0: no process */
	int pidfd, in, out; /* owned; -1 without a process; in: its stdin */
	struct watch watch_out, watch_process;
	struct lines lines;
	bool restart; /* its file changed */

	bool dirty, seen; /* to be written: state; that it answered */
	char detail[400];
	json_t *facts; /* owned: to be written, or NULL */
	bool hinted;   /* its journal may have grown */
};

struct farm {
	struct farm_config config;
	struct schedule *schedule;
	struct keeper *keeper; /* owned */
	struct table boards_by_id;
	struct board **boards; /* owned, and what they point to */
	size_t boards_count, boards_room;
	int *seat_board; /* schedule's number -> index in boards, or -1 */
	size_t seats;
	struct agents agents;
	int64_t last_run; /* newest run that the schedule has seen */

	int epoll, kick; /* owned */
	struct watch watch_kick;
	pthread_t thread;
	_Atomic bool stop;
	bool look, reload;  /* kicked; take all queued runs again */
	bool decide;        /* runs ended: jobs may want another round */
	json_t *closed;     /* owned: slots that want none (store/rounds.h) */
	bool again;         /* the next round does not wait */
	int64_t retry_at;   /* monotonic; 0: nothing failed */
	int64_t mono, wall; /* this round's time */
	char *buf;          /* owned: FOLLOW_ROUND bytes for reading */
};

/* boards.c: rows, states, hints */
int boards_look(struct farm *farm, struct err *err);
void board_free(struct board *b);
void board_tell(struct board *b, enum board_event_kind kind, bool good);
void board_detail(struct board *b, const char *text);
void board_hint(struct board *b, char *line, size_t len);
struct board *board_of_seat(const struct farm *farm, int seat);
struct board *board_named(struct farm *farm, const char *name);

/* process.c: cohort-board */
void process_act(struct board *b); /* what board_act() asks for */
void process_read(struct board *b);
void process_gone(struct board *b);
void process_kill(struct board *b);
void process_send(struct board *b, const char *op, const struct attempt_ref *ref, const char *dir);

/* attempts.c: from the lease on */
int attempts_resume(struct farm *farm, struct err *err);
void schedule_pass(struct farm *farm);
void attempt_ops(struct board *b);
void attempt_broken(struct attempt *a, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void attempt_free(struct attempt *a);
int runs_look(struct farm *farm, struct err *err);
void run_requeue(struct farm *farm, int64_t run);
void builder_ended(struct farm *farm, int64_t run); /* queue what may have waited for it */

/* decide.c: the next rounds of jobs that go on until they are decided */
void decide_pass(struct farm *farm);

/* made_files.c: what a builder left behind in the attempt's directory. files_want(): the pending entries' files are to come
 * into the store's directory, which is what the entries wait for. files_ready(): they wait no more; one that is not what it was
 * said to be breaks the attempt. When the disk refused, the entries are forgotten, to be read again. */
void files_want(struct attempt *a, struct keeper *keeper);
bool files_ready(struct board *b);
void files_drop(const char *dir);

/* Forget what is pending, to be read again. */
void attempt_discard(struct attempt *a);

/* request.c: 0, or -1 with *err; ERR_INVALID and ERR_NOTFOUND will not go away by trying again */
int request_write(struct board *b, struct err *err);

/* ingest.c: journals and boards' states into the store, in one transaction. True when something was committed. */
bool ingest_pass(struct farm *farm);
