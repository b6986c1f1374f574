/* machine.h - a Versatile/PB926EJ-S as far as Linux needs it: core, caches, RAM and devices, wired. */
#pragma once
#include "board.h"
#include "cache.h"
#include "cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct err;
struct machine; /* opaque: machine_new(), machine_free() */

struct machine_config {
	uint32_t ram_bytes;
	enum cpu_model cpu;
	bool caches; /* false: the coherent control, one copy of memory */
	struct cache_config d, i;
	uint32_t mips;             /* guest time: million instructions a second, at least 1 */
	uint64_t max_instructions; /* 0: no limit */
	uint64_t deadline_ns;      /* of the wall (CLOCK_MONOTONIC): stop then; 0: never */
	uint64_t pause_at;         /* instructions: machine_run() returns there once; 0: never */
};

enum machine_end {
	MACHINE_RESET,   /* the guest asked for a reset */
	MACHINE_HALTED,  /* it halted or waits for what cannot come */
	MACHINE_LIMIT,   /* max_instructions were run, or it is later than deadline_ns */
	MACHINE_STOPPED, /* something that is not modelled */
	MACHINE_PAUSED, /* pause_at was reached, or the console's watched text said; it can go on */
	MACHINE_OFF,    /* the monitor switched it off */
	MACHINE_QUIT,   /* console or monitor asked to end */
};

struct machine_stats {
	uint64_t instructions, guest_ns, table_walks;
	struct cache_stats d, i; /* all 0 without caches */
};

/* Make a machine in its reset state. With a net among its links, time passes while the core waits as it does on the wall;
 * without, it jumps, and a run is the same each time. Returns NULL with *err (ERR_INVALID) naming the option that no machine can have. */
struct machine *machine_new(const struct machine_config *config, const struct board_links *links,
                            struct err *err);
void machine_free(struct machine *machine);

/* To load a program: its RAM, and the registers to set. */
struct bus *machine_bus(struct machine *machine);
struct cpu *machine_cpu(struct machine *machine);

/* Save all of it, disks' unsaved bytes included, or load that into a new machine, which then goes on as
 * the saved one did. What the network had open is gone. 0, or -1 with *err naming the file and why it does not fit; a machine that
 * failed to restore can only be freed. */
int machine_save(struct machine *machine, const char *path, struct err *err);
int machine_restore(struct machine *machine, const char *path, struct err *err);

/* Its caches by name, 'd' or 'i'; NULL: it has none. */
const struct cache *machine_cache(const struct machine *machine, char name);

/* Run until the machine ends, for one of the reasons above. */
enum machine_end machine_run(struct machine *machine);

/* Why the machine ended so, in words for the user; "" when there is nothing to say. */
void machine_end_text(const struct machine *machine, enum machine_end end, char *text, size_t size);

struct machine_stats machine_stats(const struct machine *machine);
