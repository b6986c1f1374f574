/* control.h - the two pipes to cohortd (docs/WIRE.md, section 4): ops come in, hints go out. */
#pragma once
#include "common/lines.h"
#include "server/board/drive.h"
#include "server/board/loop.h"

struct control {
	struct drive *drive;
	struct loop_watch in, out;
	struct lines lines;
	/* The journal hint that did not fit into the pipe; only the last one counts. */
	char pending[256];
	bool eof;
};

/* Listen on fd in, talk on fd out; both are borrowed. The end of input is the end of cohortd, and stops the loop. */
void control_start(struct control *c, struct loop *loop, struct drive *drive, int in, int out);
void control_stop(struct control *c);

/* For drive_init(): arg is a struct control. */
extern const struct drive_hints control_hints;
