#include "monitor.h"

#include "cache_dump.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "listen.h"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE     1024u
#define PATIENCE 2000 /* ms that a client may take to read what it asked for */

struct monitor {
	int listener, client; /* owned; client -1: none */
	enum monitor_wish wish;
	bool hold;
	bool skipping; /* the rest of a line that was too long */
	size_t len;
	char line[LINE];
};

/* One command. rest is what follows its name and a blank, "" if nothing does. 0, or -1 with *err. */
struct command {
	const char *name, *help;
	bool needs_power;
	int (*run)(struct monitor *monitor, struct machine *machine, const char *rest,
	           struct err *err);
};

#define COMMANDS 9u
static const struct command commands[COMMANDS];

struct monitor *monitor_listen(const char *where, struct err *err)
{
	int listener = listen_at(where, err);
	struct monitor *monitor;

	if (listener < 0)
		return NULL;
	monitor = xcalloc(1, sizeof(*monitor));
	monitor->listener = listener;
	monitor->client = -1;
	return monitor;
}

static void drop_client(struct monitor *monitor)
{
	if (monitor->client >= 0)
		(void)close(monitor->client);
	monitor->client = -1;
	monitor->len = 0;
	monitor->skipping = false;
}

void monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	drop_client(monitor);
	(void)close(monitor->listener);
	free(monitor);
}

int monitor_fd(const struct monitor *monitor)
{
	return monitor->client >= 0 ? monitor->client : monitor->listener;
}

enum monitor_wish monitor_take_wish(struct monitor *monitor)
{
	enum monitor_wish wish = monitor->wish;

	monitor->wish = MONITOR_NOTHING;
	if (wish != MONITOR_NOTHING)
		monitor->hold = false;
	return wish;
}

bool monitor_holds(const struct monitor *monitor)
{
	return monitor->hold;
}

/* A client that does not read is let go; the board does not wait for it. */
static void say(struct monitor *monitor, const char *text, size_t len)
{
	while (len > 0 && monitor->client >= 0) {
		struct pollfd fd = {.fd = monitor->client, .events = POLLOUT};
		ssize_t n = send(monitor->client, text, len, MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno != EINTR && (errno != EAGAIN || poll(&fd, 1, PATIENCE) <= 0)) {
			drop_client(monitor);
		}
	}
}

static void say_line(struct monitor *monitor, const char *text)
{
	say(monitor, text, strlen(text));
	say(monitor, "\n", 1);
}

static int run_help(struct monitor *monitor, struct machine *machine, const char *rest,
                    struct err *err)
{
	(void)machine;
	(void)rest;
	(void)err;
	for (const struct command *command = commands; command < commands + COMMANDS; command++) {
		SCOPED_STR line = xasprintf("%s%s%s", command->name, *command->help ? " " : "",
		                            command->help);

		say_line(monitor, line);
	}
	return 0;
}

static int run_reset(struct monitor *monitor, struct machine *machine, const char *rest,
                     struct err *err)
{
	(void)machine;
	(void)rest;
	(void)err;
	monitor->wish = MONITOR_RESET;
	return 0;
}

static int run_power(struct monitor *monitor, struct machine *machine, const char *rest,
                     struct err *err)
{
	bool on = strcmp(rest, "on") == 0;

	if (!on && strcmp(rest, "off") != 0)
		return err_set(err, ERR_INVALID, "power %s: on or off is needed", rest);
	if (on == (machine != NULL))
		return 0;
	monitor->wish = on ? MONITOR_ON : MONITOR_OFF;
	return 0;
}

static int run_hang(struct monitor *monitor, struct machine *machine, const char *rest,
                    struct err *err)
{
	(void)machine;
	(void)rest;
	(void)err;
	monitor->hold = true;
	return 0;
}

static int run_resume(struct monitor *monitor, struct machine *machine, const char *rest,
                      struct err *err)
{
	(void)machine;
	(void)rest;
	(void)err;
	monitor->hold = false;
	return 0;
}

static int run_quit(struct monitor *monitor, struct machine *machine, const char *rest,
                    struct err *err)
{
	(void)machine;
	(void)rest;
	(void)err;
	monitor->wish = MONITOR_QUIT;
	return 0;
}

static json_t *json_of(const struct cache_stats *stats)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "hits", (json_int_t)stats->hits, "misses",
	                 (json_int_t)stats->misses, "write_backs", (json_int_t)stats->write_backs,
	                 "line_ops", (json_int_t)stats->line_ops, "whole_flushes",
	                 (json_int_t)stats->whole_flushes);
}

static int run_stats(struct monitor *monitor, struct machine *machine, const char *rest,
                     struct err *err)
{
	struct machine_stats stats = machine_stats(machine);
	SCOPED_JSON doc =
		json_pack("{s:I,s:I,s:I,s:b,s:o,s:o}", "instructions",
	                  (json_int_t)stats.instructions, "guest_ns", (json_int_t)stats.guest_ns,
	                  "table_walks", (json_int_t)stats.table_walks, "hangs", (int)monitor->hold,
	                  "d", json_of(&stats.d), "i", json_of(&stats.i));
	SCOPED_STR text = json_dumps(doc, JSON_COMPACT);

	(void)rest;
	(void)err;
	say_line(monitor, text);
	return 0;
}

/* d or i, and an address or a first and a last one. */
static int run_cache(struct monitor *monitor, struct machine *machine, const char *rest,
                     struct err *err)
{
	char name = rest[0];
	const struct cache *cache = machine_cache(machine, name);
	unsigned long first = 0, last = UINT32_MAX;
	char *end = NULL;

	if ((name != 'd' && name != 'i') || (rest[1] && rest[1] != ' '))
		return err_set(err, ERR_INVALID, "cache %s: d or i is needed", rest);
	if (!cache)
		return err_set(err, ERR_CONFLICT, "cache %c: the board has none", name);
	if (rest[1]) {
		first = last = strtoul(rest + 2, &end, 0);
		if (end != rest + 2 && *end == ' ')
			last = strtoul(end + 1, &end, 0);
		if (end == rest + 2 || *end || first > last || last > UINT32_MAX)
			return err_set(err, ERR_INVALID,
			               "cache %s: an address is needed, or two in order", rest);
	}
	for (uint32_t line = 0; line < cache_dump_lines(cache); line++) {
		SCOPED_STR text = cache_dump(cache, line, (uint32_t)first, (uint32_t)last);

		if (text)
			say_line(monitor, text);
	}
	return 0;
}

static int run_snapshot(struct monitor *monitor, struct machine *machine, const char *rest,
                        struct err *err)
{
	(void)monitor;
	if (!*rest)
		return err_set(err, ERR_INVALID, "snapshot: a file name is needed");
	return machine_save(machine, rest, err);
}

static const struct command commands[COMMANDS] = {
	{"help", "", false, run_help},
	{"reset", "", true, run_reset},
	{"power", "on|off", false, run_power},
	{"hang", "(the core stands still)", true, run_hang},
	{"resume", "(and goes on)", true, run_resume},
	{"quit", "", false, run_quit},
	{"stats", "", true, run_stats},
	{"cache", "d|i [ADDRESS [LAST]]", true, run_cache},
	{"snapshot", "FILE", true, run_snapshot},
};

static int run_line(struct monitor *monitor, struct machine *machine, const char *line,
                    struct err *err)
{
	size_t len = strcspn(line, " ");
	const char *rest = line[len] ? line + len + 1 : "";

	for (const struct command *command = commands; command < commands + COMMANDS; command++) {
		if (strlen(command->name) != len || strncmp(command->name, line, len) != 0)
			continue;
		if (command->needs_power && !machine)
			return err_set(err, ERR_CONFLICT, "%s: the board is off", command->name);
		return command->run(monitor, machine, rest, err);
	}
	return err_set(err, ERR_NOTFOUND, "%.*s: no such command (help lists them)", (int)len,
	               line);
}

static void answer(struct monitor *monitor, struct machine *machine)
{
	struct err err;

	if (run_line(monitor, machine, monitor->line, &err) == 0) {
		say_line(monitor, "ok");
	} else {
		say(monitor, "error: ", 7);
		say_line(monitor, err.text);
	}
}

static void take_byte(struct monitor *monitor, struct machine *machine, char byte)
{
	if (byte != '\n' && monitor->len < sizeof(monitor->line) - 1) {
		monitor->line[monitor->len++] = byte;
		return;
	}
	if (byte != '\n') {
		monitor->skipping = true;
		return;
	}
	if (monitor->len && monitor->line[monitor->len - 1] == '\r')
		monitor->len--;
	monitor->line[monitor->len] = '\0';
	monitor->len = 0;
	if (monitor->skipping)
		say_line(monitor, "error: the line is too long");
	else
		answer(monitor, machine);
	monitor->skipping = false;
}

/* One client's bytes, up to a wish: what follows it is for the machine as it is then. */
void monitor_poll(struct monitor *monitor, struct machine *machine)
{
	char byte;

	if (monitor->client < 0)
		monitor->client =
			accept4(monitor->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	for (unsigned n = 0; n < LINE && monitor->client >= 0 && monitor->wish == MONITOR_NOTHING;
	     n++) {
		ssize_t got = recv(monitor->client, &byte, 1, 0);

		if (got == 1)
			take_byte(monitor, machine, byte);
		else if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		else
			drop_client(monitor);
	}
}
