/* console.h - the serial line on two file descriptors or on a socket. A terminal is put into raw mode
 * and restored; Ctrl-A x then ends the machine, since Ctrl-C is for the guest. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct console;
struct err;

/* in -1: no input. Descriptors are borrowed. */
struct console *console_new(int in, int out);

/* On a socket, where as listen_at() takes it. One client at a
 * time; what comes when there is none, or what it does not take, is lost to it. log_path: a file that
 * gets all output, emptied first; NULL: none. Returns NULL with *err naming the place. */
struct console *console_listen(const char *where, const char *log_path, struct err *err);
void console_free(struct console *console); /* writes what is left, restores the terminal */

#define CONSOLE_WATCH 128u

/* Look for text (shorter than CONSOLE_WATCH) in the output; console_found() tells once for each time. */
void console_watch(struct console *console, const char *text);
bool console_found(struct console *console);

/* Queue a byte of output. */
void console_put(struct console *console, uint8_t byte);

/* Write what is queued, then look for input for up to timeout_ms (-1: for ever).
 * False when the user asked to end. */
bool console_poll(struct console *console, int timeout_ms);

/* The next byte of input. False when there is none now. */
bool console_get(struct console *console, uint8_t *byte);

/* The descriptor that becomes readable when console_poll() should be called; -1: there is none now. */
int console_fd(const struct console *console);

/* Whether input can still come. */
bool console_open(const struct console *console);
