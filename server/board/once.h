/* once.h - one run by hand: cohort-board --once REQUEST prints the journal as it grows. */
#pragma once
#include "server/board/drive.h"

struct once {
	struct drive *drive;
	char *dir; /* owned: STATE/runs/RUN/ATTEMPT */
	int64_t run, attempt, fence;
	uint64_t printed;
	bool good; /* it ended, and with no fault */
};

/* Put the request into its attempt directory below state. The same request again goes on where it was. 0, or -1. */
int once_prepare(struct once *o, const char *request, const char *state, struct err *err);
void once_release(struct once *o);

extern const struct drive_hints once_hints; /* arg is a struct once */
