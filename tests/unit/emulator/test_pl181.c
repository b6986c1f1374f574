/* The memory card and its controller, by the registers and commands that a driver uses; snapshots of state. */
#include "emulator/dev_pl181.h"
#include "emulator/disk.h"
#include "emulator/sdcard.h"
#include "emulator/snap.h"
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RCA    0x45670000u
#define SHORT  0x40u
#define LONG   0xc0u
#define ENABLE 0x400u

#define TIMEOUT      0x4u
#define DATA_TIMEOUT 0x8u
#define RESPONSE     0x40u
#define SENT         0x80u
#define DATA_END     0x100u
#define TX_ACTIVE    0x1000u
#define RX_ACTIVE    0x2000u
#define RX_HALF      0x8000u
#define RX_SOME      0x200000u

struct card_rig {
	char path[32];
	struct disk *disk;
	struct sdcard *card;
	struct pl181 *mmc;
	struct bus_device device;
};

static bool levels[2];

static void set_level(void *to, unsigned input, bool now)
{
	(void)to;
	levels[input] = now;
}

static uint32_t get(struct card_rig *rig, uint32_t offset)
{
	return rig->device.read(rig->device.device, offset, 4);
}

static void set(struct card_rig *rig, uint32_t offset, uint32_t value)
{
	rig->device.write(rig->device.device, offset, 4, value);
}

/* Run a command; the status it left, which is cleared. */
static uint32_t command(struct card_rig *rig, uint32_t index, uint32_t how, uint32_t argument)
{
	uint32_t status;

	set(rig, 0x08, argument);
	set(rig, 0x0c, ENABLE | how | index);
	status = get(rig, 0x34) & 0x7ff;
	set(rig, 0x38, TIMEOUT | RESPONSE | SENT);
	return status;
}

static void begin(struct card_rig *rig, enum disk_mode mode)
{
	const struct irq irq[2] = {{set_level, NULL, 0}, {set_level, NULL, 1}};
	struct err err;
	int fd;

	memset(rig, 0, sizeof(*rig));
	(void)snprintf(rig->path, sizeof(rig->path), "/tmp/cohort-card-XXXXXX");
	fd = mkstemp(rig->path);
	assert_int_equal(ftruncate(fd, 2 * SDCARD_UNIT), 0);
	assert_int_equal(pwrite(fd, "\1\2\3\4", 4, 7 * DISK_SECTOR), 4);
	(void)close(fd);
	rig->disk = disk_open(rig->path, mode, SDCARD_UNIT, &err);
	assert_non_null(rig->disk);
	rig->card = sdcard_new(rig->disk);
	rig->mmc = pl181_new(rig->card, irq);
	rig->device = pl181_device(rig->mmc, 0);
	levels[0] = levels[1] = false;
}

/* As far as a driver gets before it moves data. */
static void select_card(struct card_rig *rig)
{
	set(rig, 0, 3);
	assert_int_equal(command(rig, 0, 0, 0), SENT);
	assert_int_equal(command(rig, 8, SHORT, 0x1aa), RESPONSE);
	assert_int_equal(get(rig, 0x14), 0x1aa);
	assert_int_equal(command(rig, 5, SHORT, 0), TIMEOUT); /* no SDIO */
	assert_int_equal(command(rig, 55, SHORT, 0), RESPONSE);
	assert_int_equal(command(rig, 41, SHORT, 0x40ff8000), RESPONSE);
	assert_int_equal(get(rig, 0x14), 0xc0ff8000);
	assert_int_equal(command(rig, 2, LONG, 0), RESPONSE);
	assert_int_equal(get(rig, 0x14) & 0xffffff, 'C' << 16 | 'O' << 8 | 'E');
	assert_int_equal(command(rig, 3, SHORT, 0), RESPONSE);
	assert_int_equal(get(rig, 0x14) & 0xffff0000, RCA);
	assert_int_equal(command(rig, 9, LONG, RCA), RESPONSE);
	assert_int_equal(get(rig, 0x1c) >> 16, 1); /* two units of 512 KiB */
	assert_int_equal(command(rig, 7, SHORT, RCA), RESPONSE);
	assert_int_equal(command(rig, 13, SHORT, RCA), RESPONSE);
	assert_int_equal(get(rig, 0x14), 4 << 9 | 1 << 8);
}

static void end(struct card_rig *rig)
{
	pl181_free(rig->mmc);
	sdcard_free(rig->card);
	disk_close(rig->disk);
	(void)unlink(rig->path);
}

static void test_read(void **state)
{
	struct card_rig rig;

	(void)state;
	begin(&rig, DISK_READ_ONLY);
	select_card(&rig);
	set(&rig, 0x40, RX_HALF); /* second interrupt */
	set(&rig, 0x28, 1024);
	set(&rig, 0x2c, 0x93);
	assert_false(levels[1]);
	assert_int_equal(command(&rig, 18, SHORT, 7), RESPONSE);
	assert_true(levels[1]);
	assert_int_equal(get(&rig, 0x48), (1024 - 64) / 4); /* the FIFO is full */
	assert_int_equal(get(&rig, 0x80), 0x04030201);
	for (unsigned n = 1; n < 256; n++) {
		assert_true(get(&rig, 0x34) & RX_SOME);
		assert_true(get(&rig, 0x34) & RX_ACTIVE);
		assert_int_equal(get(&rig, 0x80 + n % 16 * 4), 0);
	}
	assert_int_equal(get(&rig, 0x34) & (RX_SOME | RX_ACTIVE), 0);
	assert_true(get(&rig, 0x34) & DATA_END);
	assert_int_equal(command(&rig, 12, SHORT, 0) & RESPONSE, RESPONSE);
	assert_int_equal(command(&rig, 24, SHORT, 7) & RESPONSE, RESPONSE);
	assert_true(get(&rig, 0x14) & 1u << 26); /* write protected */
	end(&rig);
}

static void test_write(void **state)
{
	struct card_rig rig;
	uint8_t bytes[4];

	(void)state;
	begin(&rig, DISK_PRIVATE);
	select_card(&rig);
	assert_int_equal(command(&rig, 25, SHORT, 9), RESPONSE);
	set(&rig, 0x28, 1024);
	set(&rig, 0x2c, 0x91);
	for (uint32_t n = 0; n < 256; n++) {
		assert_true(get(&rig, 0x34) & TX_ACTIVE);
		set(&rig, 0x80, n);
	}
	assert_true(get(&rig, 0x34) & DATA_END);
	assert_int_equal(get(&rig, 0x34) & TX_ACTIVE, 0);
	set(&rig, 0x80, 0xffffffff); /* nobody takes it */
	assert_int_equal(command(&rig, 12, SHORT, 0) & RESPONSE, RESPONSE);
	assert_true(disk_read(rig.disk, 10 * DISK_SECTOR + 8, bytes, 4));
	assert_int_equal(host_read(bytes, 4), 130);
	assert_true(disk_read(rig.disk, 11 * DISK_SECTOR, bytes, 4));
	assert_int_equal(host_read(bytes, 4), 0);
	end(&rig);
}

static void test_wrong_order(void **state)
{
	struct card_rig rig;

	(void)state;
	begin(&rig, DISK_PRIVATE);
	assert_int_equal(command(&rig, 3, SHORT, 0), TIMEOUT);  /* not asked for its name yet */
	assert_int_equal(command(&rig, 17, SHORT, 0), TIMEOUT); /* nor selected */
	select_card(&rig);
	set(&rig, 0x28, 512);
	set(&rig, 0x2c, 0x93);
	assert_int_equal(command(&rig, 17, SHORT, 5000),
	                 RESPONSE | DATA_TIMEOUT); /* behind its end */
	assert_true(get(&rig, 0x14) & 1u << 31);
	set(&rig, 0, 0); /* power off */
	assert_int_equal(command(&rig, 17, SHORT, 0) & TIMEOUT, TIMEOUT);
	end(&rig);
}

/* A card in the middle of a transfer, saved and loaded into another one, goes on there. */
static void test_snapshot(void **state)
{
	struct card_rig rig, other;
	char path[] = "/tmp/cohort-snap-XXXXXX";
	struct snap *snap;
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	(void)close(fd);
	begin(&rig, DISK_PRIVATE);
	begin(&other, DISK_PRIVATE);
	select_card(&rig);
	assert_true(disk_write(rig.disk, 8 * DISK_SECTOR, "new!", 4));
	set(&rig, 0x28, 1024);
	set(&rig, 0x2c, 0x93);
	assert_int_equal(command(&rig, 18, SHORT, 7), RESPONSE);
	snap = snap_writer();
	pl181_snap(rig.mmc, snap);
	sdcard_snap(rig.card, snap);
	disk_snap(rig.disk, snap);
	assert_int_equal(snap_finish(snap, &err), 0);
	assert_int_equal(snap_write(snap, path, &err), 0);
	snap_free(snap);
	snap = snap_open(path, &err);
	assert_non_null(snap);
	pl181_snap(other.mmc, snap);
	sdcard_snap(other.card, snap);
	disk_snap(other.disk, snap);
	assert_int_equal(snap_finish(snap, &err), 0);
	snap_free(snap);
	for (unsigned n = 0; n < 256; n++)
		assert_int_equal(get(&rig, 0x80), get(&other, 0x80));
	assert_true(get(&other, 0x34) & DATA_END);
	snap = snap_open(path, &err);
	sdcard_snap(other.card, snap); /* out of step */
	assert_int_equal(snap_finish(snap, &err), -1);
	assert_non_null(strstr(err.text, "memory card"));
	snap_free(snap);
	(void)unlink(path);
	end(&rig);
	end(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_wrong_order),
		cmocka_unit_test(test_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
