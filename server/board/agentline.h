/* agentline.h - one line of an agent's journal, as a board that may lie sends it (docs/WIRE.md, section 3).
 * What comes out holds the known fields only, each of the right type and within bounds. */
#pragma once
#include "common/verdict.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* The longest line taken: with the fields that are added here it must still fit into the board's journal. */
#define AGENT_LINE_MAX 65000

enum agent_event {
	AGENT_STARTED,
	AGENT_FACTS,
	AGENT_TEST_STARTED,
	AGENT_TEST_OUTPUT,
	AGENT_TEST_RECORD,
	AGENT_TEST_FINISHED,
	AGENT_KERNEL_WARNING,
	AGENT_FINISHED,
};

enum agent_outcome { AGENT_COMPLETE, AGENT_CANCELLED, AGENT_ERROR, AGENT_STOPPED };

struct agent_line {
	enum agent_event event;
	int64_t id;                 /* test events: the test's; -1: none */
	enum verdict verdict;       /* test-finished */
	enum agent_outcome outcome; /* agent-finished */
	json_t *fields;             /* owned: "ev" and the known fields, without "t" */
};

/* Read one line of len bytes. Returns 0, or -1 with *err (ERR_PROTOCOL) that says what is wrong. */
int agent_line_read(const char *text, size_t len, struct agent_line *out, struct err *err);

void agent_line_release(struct agent_line *line);
