/* farm.h - the part of cohortd that moves: it keeps one cohort-board process a board, gives leases, follows
 * the board journals into the store, and retries what the farm broke.
 *
 * One thread of its own with one poll loop. Everything it decides comes from the store and from the pure
 * functions of server/daemon/schedule/, so that a restart goes on where the store says. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;
struct farm; /* opaque */
struct ranges;
struct store;
struct suites;

struct farm_config {
	struct store *store;       /* borrowed */
	struct suites *suites;     /* borrowed */
	const char *state_dir;     /* STATE: runs/, boards/, files/ below it */
	const char *board_program; /* path of cohort-board */
	const char *agent_dir;     /* holds cohort-agent-armel, cohort-agent-x86-64 */
	struct ranges *ranges;     /* borrowed: who reads mails that builders bring; NULL: nobody */
};

/* Start the thread: start the boards' processes, take up the attempts that hold a lease. The strings are
 * borrowed for the farm's life. Returns a farm the caller owns, or NULL with *err. */
struct farm *farm_open(const struct farm_config *config, struct err *err);

/* Something in the store changed that the farm should look at now: a job, a cancel, a board. Any thread. */
void farm_kick(struct farm *farm);

/* Send quit to each cohort-board, wait for them (bounded), end the thread, free. */
void farm_close(struct farm *farm);
