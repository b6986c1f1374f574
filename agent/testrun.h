/* testrun.h - run one test: begin, watch its output, limits and the kernel's log, end, judge. */
#pragma once
#include "agent/events.h"
#include "agent/kmsg.h"
#include "agent/leg.h"
#include "agent/request.h"

#include <stdbool.h>

/* What the tests of a leg share. */
struct session {
	const struct leg *leg;
	const struct request *req;
	struct events events;
	struct kmsg *kmsg;   /* owned */
	int signals;         /* a signalfd: SIGCHLD, SIGTERM, SIGINT */
	bool cancelled;      /* SIGTERM or SIGINT came */
	bool died;           /* the kernel had an oops or a panic in this leg */
	int64_t id;          /* the running test's, or -1: whom a kernel's complaint belongs to */
	unsigned complaints; /* of the kernel since the running test began, or the last one ended */
	int64_t finished;    /* tests that have a test-finished */
};

/* Run the test to its test-finished event. Looks at s->events.failed: then nothing more makes sense. */
void testrun(struct session *s, const struct planned *test);

/* Take the signals that have come: sets s->cancelled. */
void session_signals(struct session *s);
