/* worker.h - the detached process that runs a leg's tests one after the other. */
#pragma once
#include "agent/start.h"

/* A start_fn. Returns 0 when agent-finished is in the journal. */
int worker_main(const struct leg *leg, const struct request *req, struct start_fds *fds);
