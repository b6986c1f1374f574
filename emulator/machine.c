#include "machine.h"

#include "bus.h"
#include "clock.h"
#include "common/xalloc.h"
#include "console.h"
#include "dev_pl011.h"
#include "dev_pl190.h"
#include "dev_sic.h"
#include "dev_smc91c111.h"
#include "dev_sp804.h"
#include "dev_sysreg.h"
#include "mem.h"
#include "net.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

/* How long a core runs before console and network are looked at again. */
#define SLICE 200000u

/* How long after the guest switched its card on the wire carries anything: until then it has no address,
 * and a connection that nobody answers is tried again only after many seconds. */
#define LINK_NS 500000000u

#define VIC_TIMER01 4
#define VIC_TIMER23 5
#define VIC_UART0   12
#define VIC_SIC     31
#define SIC_NETWORK 25 /* passed on to the same input of the VIC */

struct machine {
	struct machine_config config;
	struct console *console; /* borrowed */
	struct net *net;         /* borrowed; NULL: none */
	uint64_t card_on_ns;     /* since when the card is on; 0: it is off */
	uint64_t ahead_ns;       /* slept less than was skipped: shorter than poll() can wait */
	struct bus *bus;
	struct cache *d, *i; /* NULL: none */
	struct mem mem;
	struct cpu cpu;
	struct clock clock;
	struct pl190 *vic;
	struct sic *sic;
	struct pl011 *uart;
	struct sp804 *timer[2];
	struct sysreg *sysreg;
	struct smc91c111 *card;
};

static void set_cpu_line(void *to, unsigned input, bool level)
{
	cpu_set_line(to, (enum cpu_line)input, level);
}

static void put_console(void *to, uint8_t byte)
{
	console_put(to, byte);
}

static void send_frame(void *to, const uint8_t *frame, size_t len)
{
	net_send(to, frame, len);
}

static size_t next_frame(void *to, uint8_t *frame)
{
	return net_next(to, frame);
}

static struct smc91c111 *new_card(const struct machine *machine)
{
	const struct smc91c111_wire wire = {send_frame, next_frame, machine->net};
	const struct smc91c111_wire none = {NULL, NULL, NULL};

	return smc91c111_new(sic_input(machine->sic, SIC_NETWORK), machine->net ? wire : none);
}

static void add_devices(struct machine *machine)
{
	struct irq pass_on[32] = {{NULL, NULL, 0}};
	struct bus_device devices[7];

	machine->vic = pl190_new((struct irq){set_cpu_line, &machine->cpu, CPU_IRQ},
	                         (struct irq){set_cpu_line, &machine->cpu, CPU_FIQ});
	for (unsigned n = 21; n < 31;
	     n++) /* wired from the secondary controller to the same input */
		pass_on[n] = pl190_input(machine->vic, n);
	machine->sic = sic_new(pl190_input(machine->vic, VIC_SIC), pass_on);
	machine->uart =
		pl011_new(pl190_input(machine->vic, VIC_UART0), put_console, machine->console);
	machine->timer[0] = sp804_new(&machine->clock, pl190_input(machine->vic, VIC_TIMER01));
	machine->timer[1] = sp804_new(&machine->clock, pl190_input(machine->vic, VIC_TIMER23));
	machine->sysreg = sysreg_new(&machine->clock);
	machine->card = new_card(machine);

	devices[0] = sysreg_device(machine->sysreg, 0x10000000);
	devices[1] = sic_device(machine->sic, 0x10003000);
	devices[2] = pl190_device(machine->vic, 0x10140000);
	devices[3] = sp804_device(machine->timer[0], 0x101e2000);
	devices[4] = sp804_device(machine->timer[1], 0x101e3000);
	devices[5] = pl011_device(machine->uart, 0x101f1000);
	devices[6] = smc91c111_device(machine->card, 0x10010000);
	for (unsigned n = 0; n < sizeof(devices) / sizeof(devices[0]); n++)
		bus_attach(machine->bus, &devices[n]);
}

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

struct machine *machine_new(const struct machine_config *config, struct console *console,
                            struct net *net, struct err *err)
{
	struct bus *bus = bus_new(config->ram_bytes, err);
	struct machine *machine;

	if (!bus)
		return NULL;
	machine = xcalloc(1, sizeof(*machine));
	machine->config = *config;
	machine->console = console;
	machine->net = net;
	machine->bus = bus;
	mem_init(&machine->mem, bus, NULL, NULL);
	if (!add_caches(machine, err)) {
		machine_free(machine);
		return NULL;
	}
	cpu_init(&machine->cpu, &machine->mem);
	machine->clock = (struct clock){&machine->cpu, config->mips, 0};
	add_devices(machine);
	return machine;
}

void machine_free(struct machine *machine)
{
	if (!machine)
		return;
	pl190_free(machine->vic);
	sic_free(machine->sic);
	pl011_free(machine->uart);
	sp804_free(machine->timer[0]);
	sp804_free(machine->timer[1]);
	sysreg_free(machine->sysreg);
	smc91c111_free(machine->card);
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

/* Raise what is due. Returns when something is due next. */
static uint64_t update_devices(struct machine *machine)
{
	uint64_t now = clock_now(&machine->clock);
	uint64_t first = sp804_update(machine->timer[0], now);
	uint64_t second = sp804_update(machine->timer[1], now);

	smc91c111_receive(machine->card);
	return first < second ? first : second;
}

/* Give the serial port what the console has, waiting for it up to timeout_ms (-1: for ever).
 * False when the console asked to end. */
static bool poll_console(struct machine *machine, int timeout_ms)
{
	uint8_t byte;

	if (!console_poll(machine->console, timeout_ms))
		return false;
	while (pl011_has_room(machine->uart) && console_get(machine->console, &byte))
		pl011_receive(machine->uart, byte);
	return true;
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
	uint64_t now = clock_now(&machine->clock);

	if (!smc91c111_is_on(machine->card))
		machine->card_on_ns = 0;
	else if (machine->card_on_ns == 0)
		machine->card_on_ns = now;
	return machine->card_on_ns && now - machine->card_on_ns >= LINK_NS;
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
	struct pollfd console = {.fd = console_fd(machine->console), .events = POLLIN};
	uint64_t start, slept, skip, sleep_ms;

	wanted = wanted < longest ? wanted : longest;
	sleep_ms = (wanted + machine->ahead_ns) / ms;
	start = wall_ns();
	net_poll(machine->net, is_linked(machine), &console, 1, (unsigned)sleep_ms);
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
	if (machine->net) {
		sleep_on_wall(machine, next_ns);
		return true;
	}
	if (next_ns == CLOCK_NEVER)
		return console_open(machine->console) && poll_console(machine, -1);
	clock_skip_to(&machine->clock, next_ns);
	return true;
}

enum machine_end machine_run(struct machine *machine)
{
	struct cpu *cpu = &machine->cpu;
	uint64_t look_at = 0;

	for (;;) {
		uint64_t next_ns = update_devices(machine);
		enum exec ended;

		if (cpu->count >= look_at || cpu->waiting) {
			if (!poll_console(machine, 0))
				return MACHINE_QUIT;
			if (machine->net && !cpu->waiting)
				net_poll(machine->net, is_linked(machine), NULL, 0, 0);
			look_at = cpu->count + SLICE;
		}
		if (machine->config.max_instructions &&
		    cpu->count >= machine->config.max_instructions)
			return MACHINE_LIMIT;
		if (cpu->waiting) {
			if (!sleep_until(machine, next_ns))
				return console_open(machine->console) ? MACHINE_QUIT
				                                      : MACHINE_HALTED;
			continue;
		}
		cpu->run_until = run_until(machine, next_ns);
		ended = cpu_run(cpu);
		if (ended == EXEC_HALT)
			return MACHINE_HALTED;
		if (ended == EXEC_STOP)
			return MACHINE_STOPPED;
		if (sysreg_reset_asked(machine->sysreg))
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
