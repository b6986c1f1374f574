#include "board.h"

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
#include "net.h"
#include "snap.h"

#include <stdlib.h>

/* How long after the guest switched its card on the wire carries anything: until then it has no address,
 * and a connection that nobody answers is tried again only after many seconds. */
#define LINK_NS 500000000u

#define VIC_TIMER01 4
#define VIC_TIMER23 5
#define VIC_UART0   12
#define VIC_SIC     31
#define SIC_NETWORK 25 /* passed on to the same input of the VIC */

struct board {
	struct board_links links;
	uint64_t card_on_ns; /* since when the card is on; 0: it is off */
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

static struct smc91c111 *new_card(const struct board *board)
{
	const struct smc91c111_wire wire = {send_frame, next_frame, board->links.net};
	const struct smc91c111_wire none = {NULL, NULL, NULL};

	return smc91c111_new(sic_input(board->sic, SIC_NETWORK), board->links.net ? wire : none);
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
	struct bus_device devices[7];

	board->links = *links;
	add_controllers(board, cpu);
	board->uart = pl011_new(pl190_input(board->vic, VIC_UART0), put_console, links->console);
	board->timer[0] = sp804_new(clock, pl190_input(board->vic, VIC_TIMER01));
	board->timer[1] = sp804_new(clock, pl190_input(board->vic, VIC_TIMER23));
	board->sysreg = sysreg_new(clock);
	board->card = new_card(board);

	devices[0] = sysreg_device(board->sysreg, 0x10000000);
	devices[1] = sic_device(board->sic, 0x10003000);
	devices[2] = pl190_device(board->vic, 0x10140000);
	devices[3] = sp804_device(board->timer[0], 0x101e2000);
	devices[4] = sp804_device(board->timer[1], 0x101e3000);
	devices[5] = pl011_device(board->uart, 0x101f1000);
	devices[6] = smc91c111_device(board->card, 0x10010000);
	for (unsigned n = 0; n < sizeof(devices) / sizeof(devices[0]); n++)
		bus_attach(bus, &devices[n]);
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
	smc91c111_free(board->card);
	free(board);
}

uint64_t board_update(struct board *board, uint64_t now_ns)
{
	uint64_t first = sp804_update(board->timer[0], now_ns);
	uint64_t second = sp804_update(board->timer[1], now_ns);

	smc91c111_receive(board->card);
	return first < second ? first : second;
}

bool board_poll_console(struct board *board, int timeout_ms)
{
	struct console *console = board->links.console;
	uint8_t byte;

	if (!console_poll(console, timeout_ms))
		return false;
	while (pl011_has_room(board->uart) && console_get(console, &byte))
		pl011_receive(board->uart, byte);
	return true;
}

bool board_is_linked(struct board *board, uint64_t now_ns)
{
	if (!smc91c111_is_on(board->card))
		board->card_on_ns = 0;
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
	smc91c111_snap(board->card, snap);
}
