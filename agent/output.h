/* output.h - cut what a test program prints into records and text (docs/WIRE.md, section 1).
 *
 * Lines of text that arrive together travel together: one event with '\n' between them, up to OUTPUT_TEXT bytes, so
 * that a program that prints a million short lines does not make a million events. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_LINE 16384 /* bytes of a line that are looked at; the rest is dropped and counted */
#define OUTPUT_TEXT 4096  /* bytes of text in one event, UTF-8 */

struct output_sink {
	void (*text)(void *arg, const char *text, size_t len);
	void (*record)(void *arg, const char *line, size_t len,
	               json_t *record); /* record is borrowed */
	void (*line)(void *arg, const char *line,
	             size_t len); /* each line that is no record; NULL */
	void *arg;
};

struct output {
	const struct output_sink *sink;
	bool records; /* false: a line is text whatever it looks like (stderr) */
	bool pending; /* text holds a line, be it an empty one */
	size_t have, text_len;
	uint64_t dropped; /* bytes of lines behind OUTPUT_LINE */
	char line[OUTPUT_LINE + 1];
	char text[OUTPUT_TEXT + 1];
};

void output_init(struct output *o, const struct output_sink *sink, bool records);

/* Feed what one read gave. Text of the whole lines in it is passed on before this returns. */
void output_feed(struct output *o, const char *data, size_t len);

/* The stream ended: what stands there without a newline is a line too. */
void output_end(struct output *o);
