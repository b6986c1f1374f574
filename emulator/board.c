#include "board.h"

#include "board_tree.h"
#include "bus.h"
#include "clock.h"
#include "common/xalloc.h"
#include "console.h"
#include "dev_pl011.h"
#include "dev_pl181.h"
#include "dev_pl190.h"
#include "dev_sic.h"
#include "dev_smc91c111.h"
#include "dev_sp804.h"
#include "dev_sysreg.h"
#include "dev_virtio_blk.h"
#include "dev_virtio_net.h"
#include "disk.h"
#include "input.h"
#include "net.h"
#include "sdcard.h"
#include "snap.h"

#include <stdlib.h>

/* How long after the guest switched its card on the wire carries anything, unless the guest speaks of its address before: it has
 * none yet, and a connection that nobody answers is tried again only after many seconds. */
#define LINK_NS 500000000u

#define VIC_TIMER01 4
#define VIC_TIMER23 5
#define VIC_UART0   12
#define VIC_SIC     31
#define SIC_MMC0A   22
#define SIC_MMC0B   23
#define SIC_NETWORK 25 /* passed on to the same input of the VIC */

struct board {
	struct board_links links;
	const struct clock *clock; /* borrowed */
	uint64_t card_on_ns;       /* since when the card is on; 0: it is off */
	struct pl190 *vic;
	struct sic *sic;
	struct pl011 *uart;
	struct sp804 *timer[2];
	struct sysreg *sysreg;
	struct smc91c111 *smc91c111; /* NULL: not the card of this board */
	struct virtio_net *virtio_net;
	struct virtio_blk *drive[BOARD_DRIVES];
	struct sdcard *sdcard; /* NULL: the slot is empty, and its controller not there */
	struct pl181 *mmc;
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

static void attach(struct bus *bus, struct bus_device device)
{
	bus_attach(bus, &device);
}

static void add_card(struct board *board, struct bus *bus)
{
	const struct wire none = {NULL, NULL, NULL};
	struct wire wire = {send_frame, next_frame, board->links.net};

	if (!board->links.net)
		wire = none;
	if (board->links.nic == BOARD_VIRTIO_NET) {
		board->virtio_net =
			virtio_net_new(wire, bus, sic_input(board->sic, BOARD_VIRTIO_INPUT(0)));
		attach(bus, virtio_net_device(board->virtio_net, BOARD_VIRTIO_BASE(0)));
	} else {
		board->smc91c111 = smc91c111_new(sic_input(board->sic, SIC_NETWORK), wire);
		attach(bus, smc91c111_device(board->smc91c111, 0x10010000));
	}
}

static void add_drives(struct board *board, struct bus *bus, const struct clock *clock)
{
	for (unsigned n = 0; n < board->links.drives; n++) {
		board->drive[n] = virtio_blk_new(board->links.drive[n], bus, clock,
		                                 sic_input(board->sic, BOARD_VIRTIO_INPUT(n + 1)));
		attach(bus, virtio_blk_device(board->drive[n], BOARD_VIRTIO_BASE(n + 1)));
	}
}

static void add_sdcard(struct board *board, struct bus *bus)
{
	const struct irq irq[2] = {sic_input(board->sic, SIC_MMC0A),
	                           sic_input(board->sic, SIC_MMC0B)};

	if (!board->links.sdcard)
		return;
	board->sdcard = sdcard_new(board->links.sdcard);
	board->mmc = pl181_new(board->sdcard, irq);
	attach(bus, pl181_device(board->mmc, 0x10005000));
	sysreg_insert_card(board->sysreg);
}

static void add_controllers(struct board *board, struct cpu *cpu)
{
	struct irq pass_on[32] = {{NULL, NULL, 0}};

	board->vic = pl190_new((struct irq){set_cpu_line, cpu, CPU_IRQ},
	                       (struct irq){set_cpu_line, cpu, CPU_FIQ});
	for (unsigned n = 21; n < 31;
	     n++) /* wired from the secondary controller to the same input */
		pass_on[n] = pl190_input(board->vic, n);
	board->sic = sic_new(pl190_input(board->vic, VIC_SIC), pass_on);
}

struct board *board_new(const struct board_links *links, struct bus *bus, struct cpu *cpu,
                        const struct clock *clock)
{
	struct board *board = xcalloc(1, sizeof(*board));

	board->links = *links;
	board->clock = clock;
	add_controllers(board, cpu);
	board->uart = pl011_new(pl190_input(board->vic, VIC_UART0), put_console, links->console);
	board->timer[0] = sp804_new(clock, pl190_input(board->vic, VIC_TIMER01));
	board->timer[1] = sp804_new(clock, pl190_input(board->vic, VIC_TIMER23));
	board->sysreg = sysreg_new(clock);

	attach(bus, sysreg_device(board->sysreg, 0x10000000));
	attach(bus, sic_device(board->sic, 0x10003000));
	attach(bus, pl190_device(board->vic, 0x10140000));
	attach(bus, sp804_device(board->timer[0], 0x101e2000));
	attach(bus, sp804_device(board->timer[1], 0x101e3000));
	attach(bus, pl011_device(board->uart, 0x101f1000));
	add_card(board, bus);
	add_drives(board, bus, clock);
	add_sdcard(board, bus);
	return board;
}

void board_free(struct board *board)
{
	if (!board)
		return;
	pl190_free(board->vic);
	sic_free(board->sic);
	pl011_free(board->uart);
	sp804_free(board->timer[0]);
	sp804_free(board->timer[1]);
	sysreg_free(board->sysreg);
	smc91c111_free(board->smc91c111);
	virtio_net_free(board->virtio_net);
	pl181_free(board->mmc);
	sdcard_free(board->sdcard);
	for (unsigned n = 0; n < board->links.drives; n++)
		virtio_blk_free(board->drive[n]);
	free(board);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t board_update(struct board *board, uint64_t now_ns)
{
	uint64_t next = sp804_update(board->timer[0], now_ns);

	next = earlier(next, sp804_update(board->timer[1], now_ns));
	for (unsigned n = 0; n < board->links.drives; n++)
		next = earlier(next, virtio_blk_update(board->drive[n], now_ns));
	if (board->smc91c111)
		smc91c111_receive(board->smc91c111);
	else
		virtio_net_receive(board->virtio_net);
	return next;
}

/* The next byte for the serial port, and in the file if that is kept. */
static bool next_byte(struct board *board, uint8_t *byte)
{
	const struct input_point now = {board->clock->cpu->count, board->clock->skipped_ns};
	struct input *input = board->links.input;

	if (input && input_replays(input))
		return input_next(input, now, byte);
	if (!console_get(board->links.console, byte))
		return false;
	if (input)
		input_note(input, now, *byte);
	return true;
}

bool board_poll_console(struct board *board, int timeout_ms)
{
	uint8_t byte;

	if (!console_poll(board->links.console, timeout_ms))
		return false;
	while (pl011_has_room(board->uart) && next_byte(board, &byte))
		pl011_receive(board->uart, byte);
	return true;
}

bool board_is_linked(struct board *board, uint64_t now_ns, bool announced)
{
	if (!(board->smc91c111 ? smc91c111_is_on(board->smc91c111)
	                       : virtio_net_is_on(board->virtio_net)))
		board->card_on_ns = 0;
	else if (announced)
		board->card_on_ns = 1; /* long ago */
	else if (board->card_on_ns == 0)
		board->card_on_ns = now_ns;
	return board->card_on_ns && now_ns - board->card_on_ns >= LINK_NS;
}

bool board_reset_asked(const struct board *board)
{
	return sysreg_reset_asked(board->sysreg);
}

void board_snap(struct board *board, struct snap *snap)
{
	SNAP(snap, board->card_on_ns);
	pl190_snap(board->vic, snap);
	sic_snap(board->sic, snap);
	pl011_snap(board->uart, snap);
	sp804_snap(board->timer[0], snap);
	sp804_snap(board->timer[1], snap);
	sysreg_snap(board->sysreg, snap);
	if (board->smc91c111)
		smc91c111_snap(board->smc91c111, snap);
	else
		virtio_net_snap(board->virtio_net, snap);
	for (unsigned n = 0; n < board->links.drives; n++) {
		virtio_blk_snap(board->drive[n], snap);
		disk_snap(board->links.drive[n], snap);
	}
	if (board->sdcard) {
		pl181_snap(board->mmc, snap);
		sdcard_snap(board->sdcard, snap);
		disk_snap(board->links.sdcard, snap);
	}
}
