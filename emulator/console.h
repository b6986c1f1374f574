/* console.h - the serial line on two file descriptors. A terminal is put into raw mode and restored;
 * Ctrl-A x then ends the machine, since Ctrl-C is for the guest. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct console;

/* in -1: no input. Descriptors are borrowed. */
struct console *console_new(int in, int out);
void console_free(struct console *console); /* writes what is left, restores the terminal */

/* Queue a byte of output. */
void console_put(struct console *console, uint8_t byte);

/* Write what is queued, then look for input for up to timeout_ms (-1: for ever).
 * False when the user asked to end. */
bool console_poll(struct console *console, int timeout_ms);

/* The next byte of input. False when there is none now. */
bool console_get(struct console *console, uint8_t *byte);

/* Whether input can still come. */
bool console_open(const struct console *console);
