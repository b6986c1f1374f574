/* options_list.h - the options by number, for the files that take them. */
#pragma once
#include <stdint.h>

struct err;
struct options;

enum {
	OPT_KERNEL = 256,
	OPT_DTB,
	OPT_INITRD,
	OPT_APPEND,
	OPT_RAM,
	OPT_CPU,
	OPT_PRESET,
	OPT_MODE,
	OPT_DCACHE,
	OPT_ICACHE,
	OPT_REPLACEMENT,
	OPT_INVALID_FIRST,
	OPT_WRITE_ALLOCATE,
	OPT_SEED,
	OPT_MIPS,
	OPT_MAX,
	OPT_MAX_SECONDS,
	OPT_EXIT_ON,
	OPT_FORWARD,
	OPT_NIC,
	OPT_DRIVE,
	OPT_SDCARD,
	OPT_CONSOLE,
	OPT_CONSOLE_LOG,
	OPT_MONITOR,
	OPT_SNAPSHOT,
	OPT_SNAPSHOT_AT,
	OPT_RESTORE,
	OPT_RECORD,
	OPT_REPLAY,
	OPT_DAEMONIZE,
	OPT_PIDFILE,
	OPT_STATS,
	OPT_TRACE_STALE,
	OPT_TRACE_LIMIT,
	OPT_SYMBOLS,
	OPT_HELP,
	OPT_VERSION,
};

/* A decimal number from min to max at text, and nothing behind it. 0, or -1 with *err naming the option. */
int options_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *value,
                   struct err *err);

/* Take an option about what is around the board: disks, network, when to save and when to end. */
int options_outside(struct options *options, int opt, const char *arg, struct err *err);
