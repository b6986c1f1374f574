/* The emulator's devices by their registers: reads and writes of any size anywhere, descriptors and rings with anything
 * in them, frames from the wire, and time that passes. Whatever a guest does, the devices stay inside RAM, disk
 * and themselves, and each step ends.
 *
 * An input is a list of 8-byte steps: what, which device, offset (16 bits), value (32 bits). */
#include "common/err.h"
#include "common/xalloc.h"
#include "emulator/board.h"
#include "emulator/board_tree.h"
#include "emulator/bus.h"
#include "emulator/clock.h"
#include "emulator/console.h"
#include "emulator/cpu.h"
#include "emulator/dev_smc91c111.h"
#include "emulator/dev_virtio_net.h"
#include "emulator/disk.h"
#include "emulator/mem.h"
#include "emulator/sdcard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEP     8u
#define STEPS    512u
#define RINGS    0x1000u /* where step READY puts them, a page a queue */
#define VIRTIO_X 0x10200000u
#define SMC_X    0x10300000u

enum what { READ, WRITE, POKE, READY, TIME, KINDS };

struct rig {
	struct bus *bus;
	struct mem mem;
	struct cpu cpu;
	struct clock clock;
	struct board_links links;
	struct board *board;
	struct virtio_net *net; /* beside the board's own: these two have a wire */
	struct smc91c111 *card;
	uint8_t frames; /* that the wire has still to give */
};

static const uint32_t bases[] = {
	0x10000000,           0x10003000,           0x10140000, 0x101e2000, 0x101e3000,
	0x101f1000,           0x10005000,           SMC_X,      VIRTIO_X,   BOARD_VIRTIO_BASE(0),
	BOARD_VIRTIO_BASE(1), BOARD_VIRTIO_BASE(2), 0,          0x20000000,
};

static void send_frame(void *to, const uint8_t *frame, size_t len)
{
	struct rig *rig = to;

	if (len > WIRE_FRAME)
		abort();
	if (len)
		rig->frames += frame[len - 1] & 3; /* somebody answers */
}

static size_t next_frame(void *to, uint8_t *frame)
{
	struct rig *rig = to;

	if (rig->frames == 0)
		return 0;
	memset(frame, rig->frames, WIRE_FRAME);
	return rig->frames-- & 1 ? WIRE_FRAME : 60;
}

/* A file in memory as a disk. */
static struct disk *make_disk(enum disk_mode mode)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct disk *disk;
	struct err err;
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || ftruncate(fd, SDCARD_UNIT) < 0)
		abort();
	disk = disk_open(path, mode, DISK_SECTOR, &err);
	if (!disk)
		abort();
	(void)close(fd);
	return disk;
}

static void begin(struct rig *rig)
{
	static int null = -1;
	const struct wire wire = {send_frame, next_frame, rig};
	struct bus_device devices[2];
	struct err err;

	memset(rig, 0, sizeof(*rig));
	rig->bus = bus_new(1u << 20, &err);
	mem_init(&rig->mem, rig->bus, NULL, NULL);
	rig->cpu.mem = &rig->mem;
	rig->clock = (struct clock){&rig->cpu, 100, 0};
	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	rig->links.console = console_new(-1, null);
	rig->links.nic = BOARD_VIRTIO_NET;
	rig->links.drive[rig->links.drives++] = make_disk(DISK_PRIVATE);
	rig->links.drive[rig->links.drives++] = make_disk(DISK_READ_ONLY);
	rig->links.sdcard = make_disk(DISK_PRIVATE);
	rig->board = board_new(&rig->links, rig->bus, &rig->cpu, &rig->clock);
	rig->net = virtio_net_new(wire, rig->bus, (struct irq){NULL, NULL, 0});
	rig->card = smc91c111_new((struct irq){NULL, NULL, 0}, wire);
	devices[0] = virtio_net_device(rig->net, VIRTIO_X);
	devices[1] = smc91c111_device(rig->card, SMC_X);
	bus_attach(rig->bus, &devices[0]);
	bus_attach(rig->bus, &devices[1]);
}

static void end(struct rig *rig)
{
	board_free(rig->board);
	virtio_net_free(rig->net);
	smc91c111_free(rig->card);
	console_free(rig->links.console);
	for (unsigned n = 0; n < rig->links.drives; n++)
		disk_close(rig->links.drive[n]);
	disk_close(rig->links.sdcard);
	bus_free(rig->bus);
}

/* Set a virtio device to work, as a driver does: what its rings have is what POKE put there. */
static void make_ready(struct rig *rig, uint32_t base)
{
	static const uint32_t rows[][2] = {
		{0x70, 0}, {0x70, 3}, {0x24, 0}, {0x20, 0}, {0x24, 1}, {0x20, 3}, {0x70, 11},
	};

	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
		bus_write(rig->bus, base + rows[n][0], 4, rows[n][1]);
	for (uint32_t queue = 0; queue < 2; queue++) {
		uint32_t at = RINGS + 0x1000 * queue;

		bus_write(rig->bus, base + 0x30, 4, queue);
		bus_write(rig->bus, base + 0x38, 4, 16);
		bus_write(rig->bus, base + 0x80, 4, at);
		bus_write(rig->bus, base + 0x90, 4, at + 0x200);
		bus_write(rig->bus, base + 0xa0, 4, at + 0x400);
		bus_write(rig->bus, base + 0x44, 4, 1);
	}
	bus_write(rig->bus, base + 0x70, 4, 15);
}

static void run_step(struct rig *rig, const uint8_t *step)
{
	static const unsigned sizes[] = {4, 1, 2, 4};
	const uint32_t base = bases[step[1] % (sizeof(bases) / sizeof(bases[0]))];
	const unsigned bytes = sizes[step[0] >> 6];
	uint32_t offset = (uint32_t)(step[2] | step[3] << 8) & ~(bytes - 1);
	uint32_t value;

	memcpy(&value, step + 4, sizeof(value));
	switch ((enum what)((step[0] & 0x3f) % KINDS)) {
	case READ:
		(void)bus_read(rig->bus, base + offset, bytes);
		break;
	case WRITE:
		bus_write(rig->bus, base + offset, bytes, value);
		break;
	case POKE:
		bus_write(rig->bus, RINGS + (offset & 0x3fff), bytes, value);
		break;
	case READY:
		make_ready(rig, base);
		break;
	case TIME:
	case KINDS:
		rig->cpu.count += value & 0xffff;
		rig->frames += step[2] & 3;
		break;
	}
	(void)board_update(rig->board, clock_now(&rig->clock));
	virtio_net_receive(rig->net);
	smc91c111_receive(rig->card);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	begin(rig);
	for (size_t n = 0; n < STEPS && (n + 1) * STEP <= size; n++)
		run_step(rig, data + n * STEP);
	end(rig);
	free(rig);
	return 0;
}
