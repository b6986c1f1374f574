/* input.h - what was typed and when, in a file: written down, or given again at the same instructions, so that a run
 * with input repeats as one without does. A line a byte: the board's starts so far, instructions,
 * nanoseconds slept, and the byte. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;
struct input; /* opaque: input_record() or input_replay(), input_close() */

/* When: instructions since the board's start, and the time that the core slept. */
struct input_point {
	uint64_t count, slept_ns;
};

/* Returns NULL with *err naming the file, and the line that is none. */
struct input *input_record(const char *path, struct err *err);
struct input *input_replay(const char *path, struct err *err);

/* 0, or -1 with *err when not all could be written. Frees input. */
int input_close(struct input *input, struct err *err);

bool input_replays(const struct input *input);

/* The board starts, for the first time or again. */
void input_start(struct input *input);

/* Write down that byte came at now; or whether one is to come now. */
void input_note(struct input *input, struct input_point now, uint8_t byte);
bool input_next(struct input *input, struct input_point now, uint8_t *byte);
