#include "console.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/xalloc.h"
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x01 /* Ctrl-A */

struct console { /* raw: the terminal was changed */
	int in, out;
	int listener; /* -1: none; else in is its client or -1, and out is unused */
	int log;      /* -1: none */
	bool raw, escaped, quit;
	struct termios saved;
	uint8_t queue[512]; /* output */
	size_t queued;
	uint8_t input[256];
	size_t first, held;
	char watched[CONSOLE_WATCH]; /* "": nothing */
	size_t seen;                 /* how many of its characters were put last */
	bool found;
};

struct console *console_new(int in, int out)
{
	struct console *console = xcalloc(1, sizeof(*console));
	struct termios raw;

	console->in = in;
	console->out = out;
	console->listener = -1;
	console->log = -1;
	if (in >= 0 && isatty(in) && tcgetattr(in, &console->saved) == 0) {
		raw = console->saved;
		cfmakeraw(&raw);
		console->raw = tcsetattr(in, TCSANOW, &raw) == 0;
	}
	return console;
}

struct console *console_listen(const char *where, const char *log_path, struct err *err)
{
	struct console *console;
	int listener, log = -1;

	if (log_path) {
		log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (log < 0) {
			(void)err_errno(err, ERR_IO, "%s", log_path);
			return NULL;
		}
	}
	listener = listen_at(where, err);
	if (listener < 0) {
		if (log >= 0)
			(void)close(log);
		return NULL;
	}
	console = console_new(-1, -1);
	console->listener = listener;
	console->log = log;
	return console;
}

static void flush(struct console *console)
{
	/* Nobody may be reading any more; the guest goes on all the same. */
	if (console->listener < 0)
		(void)fs_write_all(console->out, console->queue, console->queued, NULL);
	else if (console->in >= 0)
		(void)send(console->in, console->queue, console->queued,
		           MSG_DONTWAIT | MSG_NOSIGNAL);
	if (console->log >= 0)
		(void)fs_write_all(console->log, console->queue, console->queued, NULL);
	console->queued = 0;
}

void console_free(struct console *console)
{
	if (!console)
		return;
	flush(console);
	if (console->raw)
		(void)tcsetattr(console->in, TCSANOW, &console->saved);
	if (console->listener >= 0) {
		(void)close(console->listener);
		if (console->in >= 0)
			(void)close(console->in);
	}
	if (console->log >= 0)
		(void)close(console->log);
	free(console);
}

void console_watch(struct console *console, const char *text)
{
	(void)snprintf(console->watched, sizeof(console->watched), "%s", text);
}

bool console_found(struct console *console)
{
	bool found = console->found;

	console->found = false;
	return found;
}

/* Follow the watched text: the longest start of it that is the end of what was put. */
static void watch(struct console *console, char byte)
{
	const char *text = console->watched;
	size_t seen = console->seen;

	while (seen > 0 && (text[seen] != byte || !text[seen])) {
		size_t shorter = seen - 1;

		while (shorter > 0 && memcmp(text, text + seen - shorter, shorter) != 0)
			shorter--;
		seen = shorter;
	}
	seen += text[seen] && text[seen] == byte;
	console->seen = seen;
	if (seen && !text[seen]) {
		console->found = true;
		console->seen = 0;
	}
}

void console_put(struct console *console, uint8_t byte)
{
	if (console->watched[0])
		watch(console, (char)byte);
	console->queue[console->queued++] = byte;
	if (console->queued == sizeof(console->queue))
		flush(console);
}

/* Take the escape sequence out of what was typed. */
static void keep_input(struct console *console, const uint8_t *bytes, size_t len)
{
	console->first = 0;
	console->held = 0;
	for (size_t i = 0; i < len; i++) {
		if (console->raw && !console->escaped && bytes[i] == ESCAPE) {
			console->escaped = true;
			continue;
		}
		if (console->escaped && bytes[i] == 'x')
			console->quit = true;
		console->escaped = false;
		console->input[console->held++] = bytes[i];
	}
}

int console_fd(const struct console *console)
{
	if (console->held)
		return -1;
	return console->in >= 0 ? console->in : console->listener;
}

static void read_input(struct console *console)
{
	uint8_t bytes[sizeof(console->input)];
	ssize_t n = read(console->in, bytes, sizeof(bytes));

	if (n > 0) {
		keep_input(console, bytes, (size_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		if (console->listener >= 0)
			(void)close(console->in);
		console->in = -1;
	}
}

bool console_poll(struct console *console, int timeout_ms)
{
	struct pollfd fd = {.fd = console_fd(console), .events = POLLIN};

	if (console->queued)
		flush(console);
	if (fd.fd < 0 || poll(&fd, 1, timeout_ms) <= 0)
		return !console->quit;
	if (console->in >= 0)
		read_input(console);
	else
		console->in = accept4(console->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return !console->quit;
}

bool console_get(struct console *console, uint8_t *byte)
{
	if (console->held == 0)
		return false;
	console->held--;
	*byte = console->input[console->first++];
	return true;
}

bool console_open(const struct console *console)
{
	return console->in >= 0 || console->listener >= 0;
}
