/* options.h - the command line. */
#pragma once
#include "disk.h"
#include "load.h"
#include "machine.h"

#include <stdbool.h>

struct err;

#define OPTIONS_FORWARDS 8
#define OPTIONS_SYMBOLS  4

/* A file that the board has as a disk. */
struct options_disk {
	char path[512]; /* "": none */
	enum disk_mode mode;
};

struct options {
	struct machine_config machine;
	struct load_request load;          /* strings belong to argv */
	const char *console, *console_log; /* paths of a socket and a file; NULL: stdio, none */
	const char *monitor;               /* likewise */
	const char *snapshot; /* where a snapshot goes at the point below; NULL: none */
	uint64_t snapshot_at; /* instructions; 0: when the console says snapshot_text */
	const char *snapshot_text;
	const char *record, *replay; /* files of typed input; NULL: none */
	const char *restore;         /* what to start from; NULL: from the kernel */
	const char *pidfile;         /* NULL: none */
	bool kind_given;             /* by --mode; else the core's own */
	bool daemonize;
	unsigned forwards; /* 0: no network */
	struct options_forward {
		uint16_t host, guest;
	} forward[OPTIONS_FORWARDS];
	enum board_nic nic;
	bool nic_given; /* a card without a forwarded port, too */
	unsigned drives;
	struct options_disk drive[BOARD_DRIVES];
	struct options_disk sdcard;
	uint64_t max_seconds; /* of the wall; 0: no limit */
	bool exit_on_reset;   /* else the machine starts again */
	bool exit_on_snapshot;
	bool exit_on_halt;       /* else it stays until the program is ended */
	const char *trace_stale; /* file; NULL: no trace */
	uint32_t trace_limit;
	unsigned symbols;
	const char *symbol[OPTIONS_SYMBOLS]; /* files */
	bool stats;                          /* print statistics to stderr at the end */
	bool help, version, presets;         /* only show this */
};

/* Defaults, then argv. Returns 0, or -1 with *err (ERR_INVALID) naming the option. */
int options_parse(struct options *options, int argc, char **argv, struct err *err);

/* What --help prints. */
extern const char options_help[];
