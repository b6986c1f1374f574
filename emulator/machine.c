#include "machine.h"

#include "board.h"
#include "bus.h"
#include "clock.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "console.h"
#include "mem.h"
#include "monitor.h"
#include "net.h"
#include "snap.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a core runs before console and network are looked at again. */
#define SLICE 200000u

/* How long to wait for somebody outside at once, when the network is to go on. */
#define LONGEST_MS 1000u

struct machine {
	struct machine_config config;
	struct board_links links;
	uint64_t ahead_ns; /* slept less than was skipped: shorter than poll() can wait */
	struct bus *bus;
	struct cache *d, *i; /* NULL: none */
	struct mem mem;
	struct cpu cpu;
	struct clock clock;
	struct board *board;
};

/* The geometry shows in the cache type register whether the caches are there or not, so that one
 * kernel takes the same paths in both. */
static bool add_caches(struct machine *machine, struct err *err)
{
	struct cache *d = cache_new(machine->bus, &machine->config.d, err);
	struct cache *i = d ? cache_new(machine->bus, &machine->config.i, err) : NULL;
	const uint32_t separate_lockable = 0xeu << 25 | 1u << 24;

	if (!d || !i) {
		cache_free(d);
		return false;
	}
	machine->mem.cache_type = separate_lockable | cache_type_bits(d) << 12 | cache_type_bits(i);
	if (machine->config.caches) {
		machine->d = machine->mem.d = d;
		machine->i = machine->mem.i = i;
	} else {
		cache_free(d);
		cache_free(i);
	}
	return true;
}

struct machine *machine_new(const struct machine_config *config, const struct board_links *links,
                            struct err *err)
{
	struct bus *bus = bus_new(config->ram_bytes, err);
	struct machine *machine;

	if (!bus)
		return NULL;
	machine = xcalloc(1, sizeof(*machine));
	machine->config = *config;
	machine->links = *links;
	machine->bus = bus;
	mem_init(&machine->mem, bus, NULL, NULL);
	if (!add_caches(machine, err)) {
		machine_free(machine);
		return NULL;
	}
	cpu_init(&machine->cpu, &machine->mem, config->cpu);
	if (links->trace)
		mem_trace(&machine->mem, &machine->cpu, links->trace);
	machine->clock = (struct clock){&machine->cpu, config->mips, 0};
	machine->board = board_new(links, bus, &machine->cpu, &machine->clock);
	return machine;
}

void machine_free(struct machine *machine)
{
	if (!machine)
		return;
	board_free(machine->board);
	cache_free(machine->d);
	cache_free(machine->i);
	bus_free(machine->bus);
	free(machine);
}

struct bus *machine_bus(struct machine *machine)
{
	return machine->bus;
}

struct cpu *machine_cpu(struct machine *machine)
{
	return &machine->cpu;
}

/* How many instructions to run at once: to the next event, and never past the limit. */
static uint64_t run_until(const struct machine *machine, uint64_t next_ns)
{
	const struct machine_config *config = &machine->config;
	uint64_t until = machine->cpu.count + SLICE;

	if (next_ns != CLOCK_NEVER) {
		uint64_t event = clock_count_at(&machine->clock, next_ns);

		until = event < until ? event : until;
	}
	if (config->max_instructions && until > config->max_instructions)
		until = config->max_instructions;
	if (config->pause_at > machine->cpu.count && until > config->pause_at)
		until = config->pause_at;
	return until;
}

static bool is_linked(struct machine *machine)
{
	return board_is_linked(machine->board, clock_now(&machine->clock),
	                       net_announced(machine->links.net));
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool is_late(const struct machine *machine)
{
	return machine->config.deadline_ns && wall_ns() >= machine->config.deadline_ns;
}

/* Let the network go on and wait for somebody outside: on it, the monitor or, if it is listened to, the
 * console. timeout_ms -1: for ever. */
static void wait_outside(struct machine *machine, bool console, int timeout_ms)
{
	const struct board_links *links = &machine->links;
	struct pollfd fds[2] = {
		{.fd = console ? console_fd(links->console) : -1, .events = POLLIN},
		{.fd = links->monitor ? monitor_fd(links->monitor) : -1, .events = POLLIN}};

	if (machine->config.deadline_ns && (timeout_ms < 0 || timeout_ms > (int)LONGEST_MS))
		timeout_ms = LONGEST_MS;
	if (links->net)
		net_poll(links->net, is_linked(machine), fds, 2,
		         timeout_ms < 0 ? LONGEST_MS : (unsigned)timeout_ms);
	else
		(void)poll(fds, 2, timeout_ms);
}

/* With a network: sleep until the next event or until somebody outside wants something, and let as much
 * time pass in the guest. Waits too short for poll() are skipped and slept later. */
static void sleep_on_wall(struct machine *machine, uint64_t next_ns)
{
	const uint64_t longest = (uint64_t)LONGEST_MS * 1000000, ms = 1000000;
	uint64_t now = clock_now(&machine->clock);
	uint64_t wanted = next_ns > now ? next_ns - now : 0;
	uint64_t start, slept, skip, sleep_ms;

	wanted = wanted < longest ? wanted : longest;
	sleep_ms = (wanted + machine->ahead_ns) / ms;
	start = wall_ns();
	wait_outside(machine, true, (int)sleep_ms);
	slept = wall_ns() - start;
	skip = slept > machine->ahead_ns ? slept - machine->ahead_ns : 0;
	if (slept >= sleep_ms * ms && skip < wanted)
		skip = wanted;
	machine->ahead_ns = machine->ahead_ns + skip - slept;
	clock_skip_to(&machine->clock, now + skip);
}

/* The core waits for an interrupt: jump to the next event, or wait for input if there is none.
 * False when nothing can come any more. */
static bool sleep_until(struct machine *machine, uint64_t next_ns)
{
	const struct board_links *links = &machine->links;

	if (links->net) {
		sleep_on_wall(machine, next_ns);
	} else if (next_ns != CLOCK_NEVER) {
		clock_skip_to(&machine->clock, next_ns);
	} else {
		if (!console_open(links->console) && !links->monitor)
			return false;
		wait_outside(machine, true, -1);
	}
	return true;
}

/* What the monitor's client wants. False when the machine ends, as *end says. */
static bool poll_monitor(struct machine *machine, enum machine_end *end)
{
	struct monitor *monitor = machine->links.monitor;

	if (!monitor)
		return true;
	monitor_poll(monitor, machine);
	while (monitor_holds(monitor) && !is_late(machine)) {
		wait_outside(machine, false, -1);
		monitor_poll(monitor, machine);
	}
	switch (monitor_take_wish(monitor)) {
	case MONITOR_RESET:
		*end = MACHINE_RESET;
		return false;
	case MONITOR_OFF:
		*end = MACHINE_OFF;
		return false;
	case MONITOR_QUIT:
		*end = MACHINE_QUIT;
		return false;
	case MONITOR_ON:
	case MONITOR_NOTHING:
		break;
	}
	return true;
}

/* Look outside. False when the machine ends, as *end says. */
static bool look_outside(struct machine *machine, enum machine_end *end)
{
	if (!board_poll_console(machine->board, 0)) {
		*end = MACHINE_QUIT;
		return false;
	}
	if (machine->links.net && !machine->cpu.waiting)
		net_poll(machine->links.net, is_linked(machine), NULL, 0, 0);
	if (!poll_monitor(machine, end))
		return false;
	if (is_late(machine)) {
		*end = MACHINE_LIMIT;
		return false;
	}
	return true;
}

/* Whether there is a reason to stop between two instructions. */
static bool is_ended(struct machine *machine, enum machine_end *end)
{
	struct machine_config *config = &machine->config;

	if (config->pause_at && machine->cpu.count >= config->pause_at) {
		config->pause_at = 0;
		*end = MACHINE_PAUSED;
	} else if (console_found(machine->links.console)) {
		*end = MACHINE_PAUSED;
	} else if (config->max_instructions && machine->cpu.count >= config->max_instructions) {
		*end = MACHINE_LIMIT;
	} else {
		return false;
	}
	return true;
}

enum machine_end machine_run(struct machine *machine)
{
	struct cpu *cpu = &machine->cpu;
	uint64_t look_at = 0;

	for (;;) {
		uint64_t next_ns = board_update(machine->board, clock_now(&machine->clock));
		enum machine_end end;
		enum exec ended;

		if (cpu->count >= look_at || cpu->waiting) {
			if (!look_outside(machine, &end))
				return end;
			look_at = cpu->count + SLICE;
		}
		if (is_ended(machine, &end))
			return end;
		if (cpu->waiting) {
			if (!sleep_until(machine, next_ns))
				return MACHINE_HALTED;
			continue;
		}
		cpu->run_until = run_until(machine, next_ns);
		ended = cpu_run(cpu);
		if (ended == EXEC_HALT)
			return MACHINE_HALTED;
		if (ended == EXEC_STOP)
			return MACHINE_STOPPED;
		if (board_reset_asked(machine->board))
			return MACHINE_RESET;
	}
}

/* The machine in words, for a snapshot: one that says something else does not fit. The seed is none of its parts. */
static void describe_cache(char *text, size_t size, const char *name,
                           const struct cache_config *cache)
{
	size_t len = strlen(text);

	(void)snprintf(text + len, size - len, " %s=%s,%uKiB,%u-way,%s%s%s", name,
	               cache->kind == CACHE_VIVT   ? "vivt"
	               : cache->kind == CACHE_VIPT ? "vipt"
	                                           : "pipt",
	               cache->bytes >> 10, cache->ways,
	               cache->replacement == REPLACE_RANDOM ? "random" : "round-robin",
	               cache->invalid_first ? ",invalid-first" : "",
	               cache->write_allocate ? ",write-allocate" : "");
}

static void describe(const struct machine *machine, char *text, size_t size)
{
	const struct machine_config *config = &machine->config;

	(void)snprintf(text, size, "ram=%uMiB cpu=%d caches=%s mips=%u nic=%s drives=%u sdcard=%s",
	               config->ram_bytes >> 20, (int)config->cpu, config->caches ? "on" : "off",
	               config->mips,
	               machine->links.nic == BOARD_VIRTIO_NET ? "virtio" : "smc91c111",
	               machine->links.drives, machine->links.sdcard ? "yes" : "no");
	describe_cache(text, size, "dcache", &config->d);
	describe_cache(text, size, "icache", &config->i);
}

/* The first word of the machine's description is the first thing saved. */
static int snap_description(const struct machine *machine, struct snap *snap, struct err *err)
{
	char here[512] = "", saved[sizeof(here)];

	describe(machine, here, sizeof(here));
	memcpy(saved, here, sizeof(saved));
	snap_part(snap, "description");
	SNAP(snap, saved);
	saved[sizeof(saved) - 1] = '\0';
	if (strcmp(here, saved) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "it is of another machine (%s), and this one is: %s",
	               saved, here);
}

static int snap_machine(struct machine *machine, struct snap *snap, struct err *err)
{
	if (snap_description(machine, snap, err) < 0)
		return -1;
	SNAP(snap, machine->clock.skipped_ns);
	cpu_snap(&machine->cpu, snap);
	mem_snap(&machine->mem, snap);
	if (machine->d)
		cache_snap(machine->d, snap);
	if (machine->i)
		cache_snap(machine->i, snap);
	board_snap(machine->board, snap);
	bus_snap(machine->bus, snap);
	return snap_finish(snap, err);
}

int machine_save(struct machine *machine, const char *path, struct err *err)
{
	struct snap *snap = snap_writer();
	int status = snap_machine(machine, snap, err);

	if (status == 0)
		status = snap_write(snap, path, err);
	snap_free(snap);
	return status;
}

int machine_restore(struct machine *machine, const char *path, struct err *err)
{
	struct snap *snap = snap_open(path, err);
	int status;

	if (!snap)
		return -1;
	status = snap_machine(machine, snap, err);
	snap_free(snap);
	return status < 0 ? err_context(err, "%s", path) : 0;
}

const struct cache *machine_cache(const struct machine *machine, char name)
{
	return name == 'd' ? machine->d : name == 'i' ? machine->i : NULL;
}

void machine_end_text(const struct machine *machine, enum machine_end end, char *text, size_t size)
{
	const struct cpu *cpu = &machine->cpu;

	text[0] = '\0';
	if (end == MACHINE_STOPPED)
		(void)snprintf(text, size, "%s", cpu->stop_text);
	else if (end == MACHINE_LIMIT)
		(void)snprintf(text, size, "%s limit reached after %ju instructions, at pc 0x%08x",
		               is_late(machine) ? "time" : "instruction", (uintmax_t)cpu->count,
		               cpu->pc);
	else if (end == MACHINE_HALTED)
		(void)snprintf(text, size, "the core %s after %ju instructions, at pc 0x%08x",
		               cpu->waiting ? "waits for what cannot come" : "has halted",
		               (uintmax_t)cpu->count, cpu->pc);
}

struct machine_stats machine_stats(const struct machine *machine)
{
	struct machine_stats stats = {.instructions = machine->cpu.count,
	                              .guest_ns = clock_now(&machine->clock),
	                              .table_walks = machine->mem.mmu.walks};

	if (machine->d)
		stats.d = machine->d->stats;
	if (machine->i)
		stats.i = machine->i->stats;
	return stats;
}
