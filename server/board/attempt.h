/* attempt.h - one attempt as a pure state machine (docs/STATES.md, last section).
 *
 * What lasts is the board journal: attempt_apply() takes its events, old ones after a restart and new ones alike. What
 * this process knows beside it (is the link up, has the board been proved in this session) is struct world. From both,
 * attempt_next() says what to do next; it may be asked as often as one likes. No I/O, no clock. */
#pragma once
#include "common/buildrole.h"
#include "common/sha256.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct request;

enum stage { STAGE_NEW, STAGE_PROVISION, STAGE_BOOT, STAGE_PROVE, STAGE_TEST, STAGE_COLLECT };

#define TEST_DEATHS 3 /* so often may the agent die in one test, and legs end without any test */

struct attempt_test {
	bool finished;
	unsigned deaths; /* of the agent in it */
};

/* A file that a build run brings. */
struct attempt_file {
	char *path; /* owned: on the board; NULL: no step said that there is one */
	char sha256[SHA256_HEX];
	int64_t size;
	int64_t test; /* id of the step that said it: when that one runs again, it says it again */
	bool have;    /* it is in DIR/files */
};

struct attempt {
	const struct request *request; /* borrowed: the plan */
	struct attempt_test *tests;    /* owned: one a planned test */
	size_t finished;
	int64_t n; /* of the last event */
	enum stage stage;
	int64_t leg;          /* the current one, from 1; 0: none yet */
	uint64_t off;         /* in its journal: behind the last line that is in ours */
	char leg_boot[65];    /* boot_id that the leg began on */
	char proved_boot[65]; /* boot_id of the last proof; "": none */
	ptrdiff_t current;    /* place of the test in progress, or -1 */
	bool crashed;         /* an oops or panic was seen since that test started */
	unsigned idle_legs;   /* legs in a row in which no test finished */
	int64_t test_wall_us; /* when stage test began */
	struct attempt_file files[ROLE_COUNT];
	bool ended;
	bool ended_well; /* outcome is not fault */
};

void attempt_init(struct attempt *a, const struct request *request);
void attempt_release(struct attempt *a);

/* Take one event of the board journal. Returns 0, or -1 with *err (ERR_PROTOCOL) and nothing changed. */
int attempt_apply(struct attempt *a, const json_t *event, struct err *err);

/* Would attempt_apply() take it? Changes nothing. */
int attempt_check(const struct attempt *a, const json_t *event, struct err *err);

const char *stage_name(enum stage stage);

/* The first file that is still to be fetched, or ROLE_COUNT. */
enum build_role attempt_wanted(const struct attempt *a);

enum worker {
	WORKER_UNKNOWN, /* nobody follows its journal */
	WORKER_FOLLOWED,
	WORKER_GONE, /* all that it wrote is in, and it is dead or was never there */
	WORKER_COMPLETE,
	WORKER_CANCELLED,
	WORKER_ERROR,
	WORKER_STOPPED, /* the kernel had an oops, and is to be started again */
};

enum machine { MACHINE_UNKNOWN, MACHINE_OFF };

/* What this process knows now. All false and empty when nothing is known. */
struct world {
	bool boots;       /* the boot method starts the machine */
	bool can_restart; /* there is a power cycle, or such a boot method */
	bool link_up;     /* a session is there */
	bool ready;       /* in this session: files are on the board, facts are known */
	bool proved; /* in this session: the kernel is the build; false with proof_code: it is not */
	const char *proof_code; /* fault code of a bad proof */
	char boot_id[65];       /* of this session, once ready */
	bool booting;           /* the boot method is at work */
	bool booted;            /* this process booted the build, and no leg began since */
	bool restarted;         /* the machine was started again because its kernel died */
	bool late;              /* the deadline for a link passed */
	enum machine machine;
	enum worker worker;
	bool cancel;   /* cohortd said so */
	bool run_late; /* the run's time is over */
	bool cancel_sent, cancel_late;
	const char *fault; /* a farm fault that ends the attempt */
};

enum act {
	ACT_WAIT,    /* nothing, until something happens */
	ACT_STAGE,   /* append stage */
	ACT_BOOT,    /* boot the build */
	ACT_LINK,    /* get a session */
	ACT_READY,   /* files and facts */
	ACT_PROVED,  /* append proved */
	ACT_LEG,     /* append leg */
	ACT_RUN,     /* start the leg's worker and follow it */
	ACT_FOLLOW,  /* follow the leg's journal from the offset */
	ACT_CRASHED, /* append test-finished: fail, kernel-crash */
	ACT_DIED,    /* append test-finished: error, agent-died */
	ACT_CANCEL,  /* ask the worker to end */
	ACT_RESTART, /* restart the machine */
	ACT_COLLECT, /* fetch the next file; append file */
	ACT_END,     /* append ended */
};

struct action {
	enum act act;
	enum stage stage;    /* ACT_STAGE */
	const char *outcome; /* ACT_END: complete, cancelled, fault */
	const char *fault;   /* ACT_END with fault: code */
};

struct action attempt_next(const struct attempt *a, const struct world *w);
