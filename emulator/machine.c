#include "machine.h"

#include "board.h"
#include "bus.h"
#include "clock.h"
#include "common/xalloc.h"
#include "console.h"
#include "mem.h"
#include "net.h"
#include "snap.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

/* How long a core runs before console and network are looked at again. */
#define SLICE 200000u

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
	return until;
}

static bool is_linked(struct machine *machine)
{
	return board_is_linked(machine->board, clock_now(&machine->clock));
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* With a network: sleep until the next event or until somebody outside wants something, and let as much
 * time pass in the guest. Waits too short for poll() are skipped and slept later. */
static void sleep_on_wall(struct machine *machine, uint64_t next_ns)
{
	const uint64_t longest = 1000000000, ms = 1000000;
	uint64_t now = clock_now(&machine->clock);
	uint64_t wanted = next_ns > now ? next_ns - now : 0;
	struct pollfd console = {.fd = console_fd(machine->links.console), .events = POLLIN};
	uint64_t start, slept, skip, sleep_ms;

	wanted = wanted < longest ? wanted : longest;
	sleep_ms = (wanted + machine->ahead_ns) / ms;
	start = wall_ns();
	net_poll(machine->links.net, is_linked(machine), &console, 1, (unsigned)sleep_ms);
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
	if (machine->links.net) {
		sleep_on_wall(machine, next_ns);
		return true;
	}
	if (next_ns == CLOCK_NEVER)
		return console_open(machine->links.console) &&
		       board_poll_console(machine->board, -1);
	clock_skip_to(&machine->clock, next_ns);
	return true;
}

enum machine_end machine_run(struct machine *machine)
{
	struct cpu *cpu = &machine->cpu;
	uint64_t look_at = 0;

	for (;;) {
		uint64_t next_ns = board_update(machine->board, clock_now(&machine->clock));
		enum exec ended;

		if (cpu->count >= look_at || cpu->waiting) {
			if (!board_poll_console(machine->board, 0))
				return MACHINE_QUIT;
			if (machine->links.net && !cpu->waiting)
				net_poll(machine->links.net, is_linked(machine), NULL, 0, 0);
			look_at = cpu->count + SLICE;
		}
		if (machine->config.max_instructions &&
		    cpu->count >= machine->config.max_instructions)
			return MACHINE_LIMIT;
		if (cpu->waiting) {
			if (!sleep_until(machine, next_ns))
				return console_open(machine->links.console) ? MACHINE_QUIT
				                                            : MACHINE_HALTED;
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

const char *machine_stop_text(const struct machine *machine)
{
	return machine->cpu.stop_text;
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
