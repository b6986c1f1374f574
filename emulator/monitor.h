/* monitor.h - a socket to look at the board and to switch it, beside its console. One client at a time says
 * a command in a line; each answer ends in the line "ok" or "error: …". "help" lists the commands. */
#pragma once
#include <stdbool.h>

struct err;
struct machine;
struct monitor; /* opaque: monitor_listen(), monitor_free() */

/* What a client asked for that who runs the machine does. */
enum monitor_wish {
	MONITOR_NOTHING,
	MONITOR_RESET,
	MONITOR_OFF,
	MONITOR_ON,
	MONITOR_QUIT,
};

/* where as listen_at() takes it. Returns NULL with *err naming it. */
struct monitor *monitor_listen(const char *where, struct err *err);
void monitor_free(struct monitor *monitor);

/* What becomes readable when monitor_poll() should be called. */
int monitor_fd(const struct monitor *monitor);

/* Let a client in, read what it said and answer, without waiting for it. machine NULL: the board is off. */
void monitor_poll(struct monitor *monitor, struct machine *machine);

/* What was asked for since the last call. */
enum monitor_wish monitor_take_wish(struct monitor *monitor);

/* Whether the core is to stand still. Ends with any wish. */
bool monitor_holds(const struct monitor *monitor);
