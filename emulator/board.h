/* board.h - what is around the core on a Versatile/PB926EJ-S: interrupt controllers, timers, serial port, system
 * registers and network card, wired to each other and to the bus. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct board; /* opaque: board_new(), board_free() */
struct bus;
struct clock;
struct console;
struct cpu;
struct disk;
struct input;
struct monitor;
struct net;
struct snap;
struct trace;

#define BOARD_DRIVES 3u

enum board_nic { BOARD_SMC91C111, BOARD_VIRTIO_NET };

/* What the board is connected to; all of it is borrowed and outlives the board. */
struct board_links {
	struct console *console; /* of the serial port */
	struct net *net;         /* NULL: the network card has no wire */
	struct trace *trace;     /* NULL: none */
	struct monitor *monitor; /* NULL: none */
	struct input *
		input; /* what is typed is written down there, or comes from there; NULL: neither */
	enum board_nic nic;
	unsigned drives; /* by virtio */
	struct disk *drive[BOARD_DRIVES];
	struct disk *sdcard; /* in the first card slot; NULL: none */
};

/* Make the devices in their reset state and attach them to bus. The core and its clock are borrowed. */
struct board *board_new(const struct board_links *links, struct bus *bus, struct cpu *cpu,
                        const struct clock *clock);
void board_free(struct board *board);

/* Do what is due at now_ns and take what came from outside. Returns when something is due next,
 * or CLOCK_NEVER. */
uint64_t board_update(struct board *board, uint64_t now_ns);

/* Give the serial port what the console has, waiting for it up to timeout_ms (-1: for ever).
 * False when the console asked to end. */
bool board_poll_console(struct board *board, int timeout_ms);

/* Whether who is on the network can expect an answer at now_ns. Announced: the board spoke of its address since the last call. */
bool board_is_linked(struct board *board, uint64_t now_ns, bool announced);

/* Whether the guest asked for a reset. */
bool board_reset_asked(const struct board *board);

void board_snap(struct board *board, struct snap *snap); /* save or load */
