/* start.h - turn a request into a detached worker, or find the one that is there. */
#pragma once
#include "agent/leg.h"
#include "agent/request.h"

struct err;

/* What the worker does once it is detached, holds its lock and has a directory. Its return value is the process's exit
 * status. */
struct start_fds {
	int bell; /* a pipe to the starter: a NUL says that agent-started is in the journal, a text why not; then a
	           * byte a line, for the starter that follows. Non-blocking; -1 when closed */
	int root; /* ROOT/lock: closed when ready */
	int lock; /* the leg's lock: kept */
};
typedef int start_fn(const struct leg *leg, const struct request *req, struct start_fds *fds);

/* Start work for req, whose text is text, in leg (made by leg_init()). When the leg exists and has the same request
 * nothing is started. *bell gets the end to listen at, owned by the caller, or -1 when nothing was started. Returns 0 when
 * the leg exists, or -1 with *err: ERR_DENIED for a stale fence, ERR_CONFLICT for another request, or what the worker
 * said. */
int start_leg(const struct leg *leg, const struct request *req, const char *text, size_t len,
              start_fn *work, int *bell, struct err *err);

/* In the worker: tell the starter that all is well, or why not (why may be NULL). The bell stays open. */
void start_ready(struct start_fds *fds, const struct err *why);
