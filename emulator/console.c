#include "console.h"

#include "common/fsio.h"
#include "common/xalloc.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x01 /* Ctrl-A */

struct console { /* raw: the terminal was changed */
	int in, out;
	bool raw, escaped, quit;
	struct termios saved;
	uint8_t queue[512]; /* output */
	size_t queued;
	uint8_t input[256];
	size_t first, held;
};

struct console *console_new(int in, int out)
{
	struct console *console = xcalloc(1, sizeof(*console));
	struct termios raw;

	console->in = in;
	console->out = out;
	if (in >= 0 && isatty(in) && tcgetattr(in, &console->saved) == 0) {
		raw = console->saved;
		cfmakeraw(&raw);
		console->raw = tcsetattr(in, TCSANOW, &raw) == 0;
	}
	return console;
}

static void flush(struct console *console)
{
	/* Nobody may be reading any more; the guest goes on all the same. */
	(void)fs_write_all(console->out, console->queue, console->queued, NULL);
	console->queued = 0;
}

void console_free(struct console *console)
{
	if (!console)
		return;
	flush(console);
	if (console->raw)
		(void)tcsetattr(console->in, TCSANOW, &console->saved);
	free(console);
}

void console_put(struct console *console, uint8_t byte)
{
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

bool console_poll(struct console *console, int timeout_ms)
{
	struct pollfd fd = {.fd = console->in, .events = POLLIN};
	uint8_t bytes[sizeof(console->input)];
	ssize_t n;

	if (console->queued)
		flush(console);
	if (console->held || console->in < 0)
		return !console->quit;
	if (poll(&fd, 1, timeout_ms) <= 0)
		return !console->quit;
	n = read(console->in, bytes, sizeof(bytes));
	if (n > 0)
		keep_input(console, bytes, (size_t)n);
	else if (n == 0 || errno != EINTR)
		console->in = -1;
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
	return console->in >= 0;
}
