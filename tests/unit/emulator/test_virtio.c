/* Disks and network card by DMA, by their registers and rings, and the file behind a disk. */
#include "emulator/cpu.h"
#include "emulator/dev_virtio_blk.h"
#include "emulator/dev_virtio_net.h"
#include "emulator/disk.h"
#include "rig.h"
#include "virtio_driver.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE    0x10030000u
#define SECTORS 16u
#define HEADER  0x8000u
#define DATA    0x9000u
#define STATUS  0xa000u

static bool level;

static void set_level(void *to, unsigned input, bool now)
{
	(void)to;
	(void)input;
	level = now;
}

struct disk_rig {
	char path[32];
	struct disk *disk;
	struct bus *bus;
	struct cpu cpu;
	struct clock clock;
	struct virtio_blk *blk;
};

/* A disk whose sector n is full of n + 1. */
static void make_image(char path[32])
{
	int fd;

	(void)snprintf(path, 32, "/tmp/cohort-disk-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (unsigned n = 0; n < SECTORS; n++) {
		uint8_t sector[DISK_SECTOR];

		memset(sector, (int)n + 1, sizeof(sector));
		assert_int_equal(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	(void)close(fd);
}

static uint8_t byte_of_file(const char *path, off_t at)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t byte = 0;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	(void)close(fd);
	return byte;
}

static void begin(struct disk_rig *rig, enum disk_mode mode)
{
	struct bus_device device;
	struct err err;

	memset(rig, 0, sizeof(*rig));
	make_image(rig->path);
	rig->disk = disk_open(rig->path, mode, DISK_SECTOR, &err);
	assert_non_null(rig->disk);
	rig->bus = bus_new(1u << 20, &err);
	rig->clock = (struct clock){&rig->cpu, 100, 0};
	rig->blk =
		virtio_blk_new(rig->disk, rig->bus, &rig->clock, (struct irq){set_level, NULL, 0});
	device = virtio_blk_device(rig->blk, BASE);
	bus_attach(rig->bus, &device);
	bring_up(rig->bus, BASE, 3);
	level = false;
}

static void end(struct disk_rig *rig)
{
	virtio_blk_free(rig->blk);
	disk_close(rig->disk);
	bus_free(rig->bus);
	(void)unlink(rig->path);
}

/* A request of one piece of data; its status, or 99 when it was not answered. */
static uint32_t request(struct disk_rig *rig, uint32_t type, uint32_t sector, uint32_t len)
{
	uint64_t due = clock_now(&rig->clock) + 100000;

	bus_write(rig->bus, HEADER, 4, type);
	bus_write(rig->bus, HEADER + 8, 4, sector);
	bus_write(rig->bus, STATUS, 1, 99);
	describe(rig->bus, 0, 0, HEADER, 16, NEXT, 1);
	describe(rig->bus, 0, 1, DATA, len, NEXT | (type == 1 ? 0 : ROOM), 2);
	describe(rig->bus, 0, 2, STATUS, 1, ROOM, 0);
	offer(rig->bus, BASE, 0, 0);
	assert_int_equal(virtio_blk_update(rig->blk, due - 1), due);
	assert_int_equal(bus_read(rig->bus, STATUS, 1), 99); /* it takes its time */
	assert_int_equal(virtio_blk_update(rig->blk, due), CLOCK_NEVER);
	return bus_read(rig->bus, STATUS, 1);
}

static void test_features(void **state)
{
	struct disk_rig rig;

	(void)state;
	begin(&rig, DISK_WRITE);
	assert_int_equal(reg(rig.bus, BASE, 0), 0x74726976);
	assert_int_equal(reg(rig.bus, BASE, 4), 2);
	assert_int_equal(reg(rig.bus, BASE, 8), 2);
	set_reg(rig.bus, BASE, 0x14, 1);
	assert_int_equal(reg(rig.bus, BASE, 0x10), 3); /* version 1, access platform */
	assert_int_equal(reg(rig.bus, BASE, 0x100), SECTORS);
	assert_int_equal(reg(rig.bus, BASE, 0x70), 0xf);
	bring_up(rig.bus, BASE, 1); /* a driver that does not use the DMA API */
	assert_int_equal(reg(rig.bus, BASE, 0x70) & 8, 0);
	bring_up(rig.bus, BASE, 7); /* what was not offered */
	assert_int_equal(reg(rig.bus, BASE, 0x70) & 8, 0);
	end(&rig);
}

static void test_read_and_write(void **state)
{
	struct disk_rig rig;

	(void)state;
	begin(&rig, DISK_WRITE);
	assert_int_equal(request(&rig, 0, 3, 1024), 0);
	assert_int_equal(bus_read(rig.bus, DATA + 511, 1), 4);
	assert_int_equal(bus_read(rig.bus, DATA + 512, 1), 5);
	assert_int_equal(used(rig.bus, 0), 1);
	assert_int_equal(bus_read(rig.bus, USED(0) + 8, 4), 1025);
	assert_true(level);
	assert_int_equal(reg(rig.bus, BASE, 0x60), 1);
	set_reg(rig.bus, BASE, 0x64, 1);
	assert_false(level);
	bus_write(rig.bus, DATA, 1, 0xab);
	assert_int_equal(request(&rig, 1, 5, 512), 0);
	assert_int_equal(byte_of_file(rig.path, 5 * DISK_SECTOR), 0xab);
	assert_int_equal(byte_of_file(rig.path, 6 * DISK_SECTOR), 7);
	assert_int_equal(request(&rig, 4, 0, 512), 0);
	assert_int_equal(request(&rig, 77, 0, 512), 2);
	assert_int_equal(request(&rig, 0, SECTORS - 1, 1024), 1); /* behind its end */
	assert_int_equal(request(&rig, 0, 0, 100), 1);
	end(&rig);
}

static void test_no_interrupt(void **state)
{
	struct disk_rig rig;

	(void)state;
	begin(&rig, DISK_WRITE);
	bus_write(rig.bus, AVAIL(0), 2, 1);
	assert_int_equal(request(&rig, 0, 0, 512), 0);
	assert_int_equal(used(rig.bus, 0), 1);
	assert_false(level);
	end(&rig);
}

static void test_modes(void **state)
{
	struct disk_rig rig;

	(void)state;
	begin(&rig, DISK_READ_ONLY);
	set_reg(rig.bus, BASE, 0x14, 0);
	assert_true(reg(rig.bus, BASE, 0x10) & 1u << 5);
	assert_int_equal(request(&rig, 1, 5, 512), 1);
	end(&rig);
	begin(&rig, DISK_PRIVATE);
	memset(bus_ram(rig.bus, DATA, 512), 0xcd, 512);
	assert_int_equal(request(&rig, 1, 5, 512), 0);
	assert_int_equal(byte_of_file(rig.path, 5 * DISK_SECTOR), 6);
	memset(bus_ram(rig.bus, DATA, 2048), 0, 2048);
	assert_int_equal(request(&rig, 0, 4, 2048), 0);
	assert_int_equal(bus_read(rig.bus, DATA, 1), 5);
	assert_int_equal(bus_read(rig.bus, DATA + 512, 1), 0xcd);
	assert_int_equal(bus_read(rig.bus, DATA + 1024, 1), 7);
	end(&rig);
}

static void test_indirect(void **state)
{
	struct disk_rig rig;
	const uint32_t table = 0xb000;

	(void)state;
	begin(&rig, DISK_WRITE);
	bus_write(rig.bus, HEADER, 4, 0);
	bus_write(rig.bus, HEADER + 8, 4, 2);
	describe_at(rig.bus, table, HEADER, 16, NEXT, 1);
	describe_at(rig.bus, table + 16, DATA, 256, NEXT | ROOM, 2);
	describe_at(rig.bus, table + 32, DATA + 0x800, 256, NEXT | ROOM, 3);
	describe_at(rig.bus, table + 48, STATUS, 1, ROOM, 0);
	describe(rig.bus, 0, 7, table, 64, INDIRECT, 0);
	bus_write(rig.bus, STATUS, 1, 99);
	offer(rig.bus, BASE, 0, 7);
	(void)virtio_blk_update(rig.blk, 100000);
	assert_int_equal(bus_read(rig.bus, STATUS, 1), 0);
	assert_int_equal(bus_read(rig.bus, DATA + 255, 1), 3);
	assert_int_equal(bus_read(rig.bus, DATA + 256, 1), 0);
	assert_int_equal(bus_read(rig.bus, DATA + 0x800 + 255, 1), 3);
	end(&rig);
}

/* What a driver must not do: the device says so and stands still until it is reset. */
static void test_broken_chains(void **state)
{
	static const struct {
		uint32_t address, len, flags, next;
	} bad[] = {
		{HEADER, 16, NEXT, 0},            /* a loop */
		{HEADER, 16, NEXT, 16},           /* behind the table */
		{0xfffff0, 64, 0, 0},             /* outside of RAM */
		{0xfffe0, 0x20000000, 0, 0},      /* much longer than RAM */
		{0xb000, 40, INDIRECT, 0},        /* half a descriptor */
		{0xb000, 32, INDIRECT | NEXT, 1}, /* both */
		{AT(0), 16, INDIRECT, 0},         /* a table in a table in … */
		{HEADER, 16, 0, 0},               /* no room for the status */
	};

	(void)state;
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		struct disk_rig rig;

		begin(&rig, DISK_WRITE);
		describe(rig.bus, 0, 0, bad[n].address, bad[n].len, bad[n].flags, bad[n].next);
		offer(rig.bus, BASE, 0, 0);
		(void)virtio_blk_update(rig.blk, 100000);
		assert_int_equal(reg(rig.bus, BASE, 0x70) & 0x40, 0x40);
		assert_int_equal(reg(rig.bus, BASE, 0x60) & 2, 2);
		assert_true(level);
		assert_int_equal(used(rig.bus, 0), 0);
		set_reg(rig.bus, BASE, 0x70, 0);
		assert_false(level);
		end(&rig);
	}
}

static void test_files(void **state)
{
	char path[32];
	struct err err;

	(void)state;
	make_image(path);
	assert_null(disk_open(path, DISK_WRITE, 3 * DISK_SECTOR, &err));
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "multiple of 1536"));
	assert_null(disk_open("/dev/null", DISK_WRITE, DISK_SECTOR, &err));
	assert_non_null(strstr(err.text, "plain file"));
	assert_int_equal(truncate(path, 0), 0);
	assert_null(disk_open(path, DISK_WRITE, DISK_SECTOR, &err));
	(void)unlink(path);
	assert_null(disk_open(path, DISK_WRITE, DISK_SECTOR, &err));
	assert_non_null(strstr(err.text, path));
}

static uint8_t sent[WIRE_FRAME];
static size_t sent_len;
static unsigned waiting;

static void take(void *to, const uint8_t *frame, size_t len)
{
	(void)to;
	memcpy(sent, frame, len);
	sent_len = len;
}

static size_t give(void *to, uint8_t *frame)
{
	(void)to;
	if (waiting == 0)
		return 0;
	memset(frame, (int)waiting--, 60);
	return 60;
}

static void test_network(void **state)
{
	struct err err;
	struct bus *bus = bus_new(1u << 20, &err);
	struct virtio_net *net = virtio_net_new((struct wire){take, give, NULL}, bus,
	                                        (struct irq){set_level, NULL, 0});
	struct bus_device device = virtio_net_device(net, BASE);

	(void)state;
	bus_attach(bus, &device);
	waiting = 3;
	virtio_net_receive(net); /* off: lost */
	assert_int_equal(waiting, 0);
	assert_false(virtio_net_is_on(net));
	bring_up(bus, BASE, 3);
	assert_true(virtio_net_is_on(net));
	waiting = 2;
	virtio_net_receive(net); /* no room yet: they wait */
	assert_int_equal(waiting, 2);
	describe(bus, 0, 0, DATA, 1600, ROOM, 0);
	offer(bus, BASE, 0, 0);
	assert_int_equal(waiting, 1);
	assert_int_equal(bus_read(bus, DATA + 10, 2), 1); /* one buffer */
	assert_int_equal(bus_read(bus, DATA + 12, 1), 2);
	assert_int_equal(bus_read(bus, USED(0) + 8, 4), 72);
	describe(bus, 0, 1, DATA, 40, ROOM, 0);
	offer(bus, BASE, 0, 1); /* too small: the frame is lost, the buffer comes back */
	assert_int_equal(waiting, 0);
	assert_int_equal(used(bus, 0), 2);
	assert_int_equal(bus_read(bus, USED(0) + 16, 4), 0);
	memset(bus_ram(bus, DATA, 100), 0x77, 100);
	describe(bus, 1, 0, HEADER, 12, NEXT, 1);
	describe(bus, 1, 1, DATA, 100, 0, 0);
	offer(bus, BASE, 1, 0);
	assert_int_equal(sent_len, 100);
	assert_int_equal(sent[99], 0x77);
	assert_int_equal(used(bus, 1), 1);
	virtio_net_free(net);
	bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features),     cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_no_interrupt), cmocka_unit_test(test_modes),
		cmocka_unit_test(test_indirect),     cmocka_unit_test(test_broken_chains),
		cmocka_unit_test(test_files),        cmocka_unit_test(test_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
