/* drive.h - one board and what happens on it: the I/O around the pure machine of attempt.h.
 *
 * drive_step() asks the machine what to do next and does it, until there is nothing to do but wait. Everything else here is
 * called from the loop and only notes what happened. */
#pragma once
#include "common/boardfile.h"
#include "server/board/attempt.h"
#include "server/board/boot.h"
#include "server/board/child.h"
#include "server/board/collect.h"
#include "server/board/console.h"
#include "server/board/follow.h"
#include "server/board/loop.h"
#include "server/board/prepare.h"
#include "server/board/record.h"
#include "server/board/remote.h"

#include <stdbool.h>

struct caplog;

/* Hints for cohortd; all of them may get lost. */
struct drive_hints {
	void (*state)(void *arg, const char *state, const char *detail, json_t *facts);
	void (*journal)(void *arg, const struct record *record);
	void *arg;
};

struct drive_times {
	int64_t connect_us; /* a board that should be there is */
	int64_t cancel_us;  /* a worker that is asked to end does */
	int64_t check_us;   /* an idle board answers */
};

extern const struct drive_times drive_times_usual;

/* What the one command that may run is for. */
enum child_job { CHILD_FREE, CHILD_BOOT, CHILD_RESTART, CHILD_STATUS, CHILD_OFF, CHILD_CYCLE };

struct drive {
	struct loop *loop;
	const struct board_file *board;
	const char *state_dir;
	const struct drive_times *times;
	struct remote *remote; /* owned */
	struct drive_hints hints;
	const struct boot_method *method;
	struct console console;
	struct child child; /* of boot and power: one at a time */
	enum child_job child_job;
	struct boot boot;
	struct prepare prepare;
	struct follow follow;
	struct collect collect;
	struct caplog *console_log; /* the board's own, between runs */

	struct record *record; /* owned: the attempt under way, or NULL */
	struct world world;
	char fault_detail[480];
	uint64_t told; /* size of the journal that was announced */
	unsigned console_warnings, flaps, follow_tries;
	char old_boot[65];    /* boot_id before we booted: not yet gone while it answers */
	char last_error[480]; /* why the link went down */
	bool lost;            /* it did, in this attempt, after it was up */
	bool noted_oops;      /* the journal says that the kernel of this leg had one */
	int64_t away_us;      /* since when it boots, or the link is down; 0: it should be there */
	int64_t status_us;    /* not before this is its power looked at again */
	int64_t link_backoff_us, progress_us, boots_seen;
	char worker_detail[256];
	enum cache_class proved_cache;
	struct loop_timer link_again, link_late, run_late, cancel_late, retry;

	bool checking, check_sent, quitting;
	/* What `release` cleans: the attempt that ended last. */
	int64_t last_run, last_attempt, last_legs;
	char *last_agent; /* owned */
};

/* Take remote over and open the console. */
void drive_init(struct drive *d, struct loop *loop, const struct board_file *board,
                struct remote *remote, const char *state_dir, const struct drive_hints *hints);
void drive_release(struct drive *d);

/* Do all that can be done now. Called at the end of each round of the loop. */
void drive_step(struct drive *d);

/* The ops of docs/WIRE.md, section 4. dir: the attempt's directory. Errors are for the log: a bad op changes nothing. */
int drive_run(struct drive *d, const char *dir, int64_t run, int64_t attempt, int64_t fence,
              struct err *err);
void drive_cancel(struct drive *d, int64_t run, int64_t attempt);
void drive_clean(struct drive *d, int64_t run, int64_t attempt);
void drive_check(struct drive *d);
void drive_quit(struct drive *d);
