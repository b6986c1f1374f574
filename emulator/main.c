/* cohort-emu: one ARM board with real caches, its serial port on stdin and stdout. */
#include "common/err.h"
#include "console.h"
#include "machine.h"
#include "options.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum status {
	STATUS_DONE = 0,
	STATUS_FILE = 1,
	STATUS_LIMIT = 3,
	STATUS_STOPPED = 4,
	STATUS_USAGE = 64
};

static double seconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_cache(const char *name, const struct cache_stats *stats)
{
	(void)fprintf(stderr,
	              "%s: %ju hits, %ju misses, %ju halves written back, %ju line operations, %ju "
	              "whole flushes\n",
	              name, (uintmax_t)stats->hits, (uintmax_t)stats->misses,
	              (uintmax_t)stats->write_backs, (uintmax_t)stats->line_ops,
	              (uintmax_t)stats->whole_flushes);
}

static void print_stats(const struct machine *machine, double seconds)
{
	struct machine_stats stats = machine_stats(machine);

	(void)fprintf(stderr,
	              "%ju instructions in %.2f s: %.1f MIPS; guest time %.3f s; %ju table walks\n",
	              (uintmax_t)stats.instructions, seconds,
	              (double)stats.instructions / 1e6 / seconds, (double)stats.guest_ns / 1e9,
	              (uintmax_t)stats.table_walks);
	print_cache("D-cache", &stats.d);
	print_cache("I-cache", &stats.i);
}

/* Run one machine from its start to its end. */
static int run_once(const struct options *options, struct console *console, enum machine_end *end,
                    struct err *err)
{
	struct machine *machine = machine_new(&options->machine, console, err);
	double start = seconds_now();

	if (!machine)
		return -1;
	if (load_linux(machine_bus(machine), machine_cpu(machine), &options->load, err) < 0) {
		machine_free(machine);
		return -1;
	}
	*end = machine_run(machine);
	(void)console_poll(console, 0);
	if (*end == MACHINE_STOPPED)
		(void)fprintf(stderr, "cohort-emu: %s\n", machine_stop_text(machine));
	if (options->stats)
		print_stats(machine, seconds_now() - start);
	machine_free(machine);
	return 0;
}

static int run(const struct options *options, struct console *console, struct err *err)
{
	for (;;) {
		enum machine_end end;

		if (run_once(options, console, &end, err) < 0)
			return STATUS_FILE;
		switch (end) {
		case MACHINE_RESET:
			if (options->exit_on_reset)
				return STATUS_DONE;
			break;
		case MACHINE_HALTED:
			while (!options->exit_on_halt && console_open(console) &&
			       console_poll(console, -1))
				;
			return STATUS_DONE;
		case MACHINE_LIMIT:
			return STATUS_LIMIT;
		case MACHINE_STOPPED:
			return STATUS_STOPPED;
		case MACHINE_QUIT:
			return STATUS_DONE;
		}
	}
}

int main(int argc, char **argv)
{
	struct options options;
	struct console *console;
	struct err err;
	int status;

	if (options_parse(&options, argc, argv, &err) < 0) {
		(void)fprintf(stderr, "cohort-emu: %s (--help lists the options)\n", err.text);
		return STATUS_USAGE;
	}
	if (options.help || options.version) {
		(void)fputs(options.help ? options_help : "cohort-emu " COHORT_VERSION "\n",
		            stdout);
		return STATUS_DONE;
	}
	console = console_new(STDIN_FILENO, STDOUT_FILENO);
	status = run(&options, console, &err);
	console_free(console);
	if (status == STATUS_FILE)
		(void)fprintf(stderr, "cohort-emu: %s\n", err.text);
	return status;
}
