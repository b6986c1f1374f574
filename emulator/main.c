/* cohort-emu: one ARM board with real caches. */
#include "common/err.h"
#include "common/fsio.h"
#include "console.h"
#include "disk.h"
#include "input.h"
#include "machine.h"
#include "monitor.h"
#include "net.h"
#include "options.h"
#include "presets.h"
#include "sdcard.h"
#include "symbols.h"
#include "trace.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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

/* before: instructions that another process ran, up to a snapshot. */
static void print_stats(const struct machine *machine, uint64_t before, double seconds)
{
	struct machine_stats stats = machine_stats(machine);

	(void)fprintf(stderr,
	              "%ju instructions in %.2f s: %.1f MIPS; guest time %.3f s; %ju table walks\n",
	              (uintmax_t)stats.instructions, seconds,
	              (double)(stats.instructions - before) / 1e6 / seconds,
	              (double)stats.guest_ns / 1e9, (uintmax_t)stats.table_walks);
	print_cache("D-cache", &stats.d);
	print_cache("I-cache", &stats.i);
}

/* What outlives a reset of the board. */
struct host {
	struct board_links links; /* owned */
	struct symbols *symbols;  /* of the trace, owned */
	uint64_t deadline_ns;     /* as machine_config has it */
	bool announced;
	bool started; /* a board has run already: what starts now is after a reset */
};

static int open_drives(struct board_links *links, const struct options *options, struct err *err)
{
	for (unsigned n = 0; n < options->drives; n++) {
		const struct options_disk *drive = &options->drive[n];

		links->drive[n] = disk_open(drive->path, drive->mode, DISK_SECTOR, err);
		if (!links->drive[n])
			return -1;
		links->drives++;
	}
	if (options->sdcard.path[0] == '\0')
		return 0;
	links->sdcard = disk_open(options->sdcard.path, options->sdcard.mode, SDCARD_UNIT, err);
	return links->sdcard ? 0 : -1;
}

static void disconnect_host(struct host *host)
{
	trace_free(host->links.trace);
	symbols_free(host->symbols);
	net_free(host->links.net);
	console_free(host->links.console);
	monitor_free(host->links.monitor);
	for (unsigned n = 0; n < host->links.drives; n++)
		disk_close(host->links.drive[n]);
	disk_close(host->links.sdcard);
}

/* Set up what the board is connected to. */
static int connect_host(struct host *host, const struct options *options, struct err *err)
{
	host->links.nic = options->nic;
	if (options->max_seconds)
		host->deadline_ns =
			(uint64_t)((seconds_now() + (double)options->max_seconds) * 1e9);
	if (options->console)
		host->links.console = console_listen(options->console, options->console_log, err);
	else
		host->links.console = console_new(STDIN_FILENO, STDOUT_FILENO);
	if (!host->links.console)
		return -1;
	if (options->snapshot_text)
		console_watch(host->links.console, options->snapshot_text);
	if (options->record || options->replay) {
		host->links.input = options->record ? input_record(options->record, err)
		                                    : input_replay(options->replay, err);
		if (!host->links.input)
			return -1;
	}
	if (options->monitor) {
		host->links.monitor = monitor_listen(options->monitor, err);
		if (!host->links.monitor)
			return -1;
	}
	if (open_drives(&host->links, options, err) < 0)
		return -1;
	if (options->forwards || options->nic_given) {
		/* libslirp writes to connections that their client has closed; that must not end the board. */
		(void)signal(SIGPIPE, SIG_IGN);
		host->links.net = net_new();
	}
	for (unsigned n = 0; n < options->forwards; n++) {
		if (net_forward(host->links.net, options->forward[n].host,
		                options->forward[n].guest, err) < 0)
			return -1;
	}
	return 0;
}

static int start_trace(struct host *host, const struct options *options, struct err *err)
{
	if (!options->trace_stale)
		return 0;
	host->symbols = symbols_new();
	for (unsigned n = 0; n < options->symbols; n++) {
		if (symbols_read(host->symbols, options->symbol[n], err) < 0)
			return -1;
	}
	host->links.trace =
		trace_new(options->trace_stale, options->trace_limit, host->symbols, err);
	return host->links.trace ? 0 : -1;
}

static int write_pid(const char *path, pid_t pid, struct err *err)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%jd\n", (intmax_t)pid);

	return path ? fs_replace_file(path, text, (size_t)len, 0644, err) : 0;
}

/* All that can be refused was accepted: into the background if wanted. The directory stays, for a
 * reset reads the files again, and so does stderr. */
static int announce(const struct options *options, struct err *err)
{
	pid_t child;
	int null;

	if (!options->daemonize)
		return write_pid(options->pidfile, getpid(), err);
	child = fork();
	if (child < 0)
		return err_errno(err, ERR_IO, "fork");
	if (child > 0) {
		if (write_pid(options->pidfile, child, err) < 0) {
			(void)kill(child, SIGKILL);
			return -1;
		}
		_exit(STATUS_DONE);
	}
	(void)setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	return 0;
}

/* Give the machine what it starts from: a snapshot, or a kernel. */
static int fill_machine(struct machine *machine, const struct options *options,
                        const struct host *host, struct err *err)
{
	struct load_request load = options->load;

	if (options->restore && (!host->started || !load.kernel))
		return machine_restore(machine, options->restore, err);
	load.links = &host->links;
	return load_linux(machine_bus(machine), machine_cpu(machine), &load, err);
}

/* Run, and save where it was asked for. */
static int run_and_save(struct machine *machine, const struct options *options,
                        enum machine_end *end, struct err *err)
{
	for (;;) {
		*end = machine_run(machine);
		if (*end != MACHINE_PAUSED)
			return 0;
		if (machine_save(machine, options->snapshot, err) < 0)
			return -1;
		if (options->exit_on_snapshot) {
			*end = MACHINE_QUIT;
			return 0;
		}
	}
}

/* Run one machine from its start to its end. */
static int run_once(const struct options *options, struct host *host, enum machine_end *end,
                    struct err *err)
{
	struct machine_config config = options->machine;
	struct machine *machine;
	double start = seconds_now();
	char text[240];
	uint64_t before;
	int status;

	config.deadline_ns = host->deadline_ns;
	config.pause_at = host->started ? 0 : options->snapshot_at;
	machine = machine_new(&config, &host->links, err);
	if (!machine)
		return -1;
	if (fill_machine(machine, options, host, err) < 0 ||
	    (!host->announced && announce(options, err) < 0)) {
		machine_free(machine);
		return -1;
	}
	host->announced = host->started = true;
	if (host->links.input)
		input_start(host->links.input);
	before = machine_cpu(machine)->count;
	status = run_and_save(machine, options, end, err);
	(void)console_poll(host->links.console, 0);
	machine_end_text(machine, *end, text, sizeof(text));
	if (status == 0 && text[0])
		(void)fprintf(stderr, "cohort-emu: %s\n", text);
	if (options->stats)
		print_stats(machine, before, seconds_now() - start);
	machine_free(machine);
	return status;
}

/* The board is off. False when it is not to be switched on again. */
static bool wait_for_power(const struct host *host, bool *late)
{
	struct console *console = host->links.console;
	struct monitor *monitor = host->links.monitor;

	while (console_open(console) || monitor) {
		struct pollfd fds[2] = {
			{.fd = console_fd(console), .events = POLLIN},
			{.fd = monitor ? monitor_fd(monitor) : -1, .events = POLLIN}};
		enum monitor_wish wish = MONITOR_NOTHING;
		uint8_t byte;

		(void)poll(fds, 2, host->deadline_ns ? 1000 : -1);
		*late = host->deadline_ns && (uint64_t)(seconds_now() * 1e9) >= host->deadline_ns;
		if (*late)
			return false;
		if (!console_poll(console, 0))
			return false;
		while (console_get(console, &byte))
			; /* nobody is there to read it */
		if (monitor) {
			monitor_poll(monitor, NULL);
			wish = monitor_take_wish(monitor);
		}
		if (wish == MONITOR_ON || wish == MONITOR_QUIT)
			return wish == MONITOR_ON;
	}
	return false;
}

static int run(const struct options *options, struct host *host, struct err *err)
{
	bool late = false;

	for (;;) {
		enum machine_end end;

		if (run_once(options, host, &end, err) < 0)
			return STATUS_FILE;
		switch (end) {
		case MACHINE_RESET:
			if (options->exit_on_reset)
				return STATUS_DONE;
			break;
		case MACHINE_HALTED:
			if (options->exit_on_halt)
				return STATUS_DONE;
			if (!wait_for_power(host, &late))
				return late ? STATUS_LIMIT : STATUS_DONE;
			break;
		case MACHINE_OFF:
			if (!wait_for_power(host, &late))
				return late ? STATUS_LIMIT : STATUS_DONE;
			break;
		case MACHINE_LIMIT:
			return STATUS_LIMIT;
		case MACHINE_STOPPED:
			return STATUS_STOPPED;
		case MACHINE_PAUSED:
		case MACHINE_QUIT:
			return STATUS_DONE;
		}
	}
}

int main(int argc, char **argv)
{
	struct options options;
	struct host host = {.announced = false};
	struct err err;
	int status = STATUS_FILE;

	if (options_parse(&options, argc, argv, &err) < 0) {
		(void)fprintf(stderr, "cohort-emu: %s (--help lists the options)\n", err.text);
		return STATUS_USAGE;
	}
	if (options.presets) {
		presets_print(stdout);
		return STATUS_DONE;
	}
	if (options.help || options.version) {
		(void)fputs(options.help ? options_help : "cohort-emu " COHORT_VERSION "\n",
		            stdout);
		return STATUS_DONE;
	}
	if (connect_host(&host, &options, &err) == 0 && start_trace(&host, &options, &err) == 0)
		status = run(&options, &host, &err);
	if (host.links.trace && trace_finish(host.links.trace, &err) < 0)
		status = STATUS_FILE;
	if (input_close(host.links.input, &err) < 0)
		status = STATUS_FILE;
	disconnect_host(&host);
	if (status == STATUS_FILE)
		(void)fprintf(stderr, "cohort-emu: %s\n", err.text);
	return status;
}
