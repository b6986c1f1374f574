/* The network card by its registers, as the driver uses them, with a wire that keeps what it gets. */
#include "emulator/dev_smc91c111.h"
#include "rig.h"

#define BANK     14u
#define ALLOC    0x20u
#define RELEASE  0x80u
#define FREE     0xa0u
#define ENQUEUE  0xc0u
#define INT_RX   0x01u
#define INT_TX   0x02u
#define INT_SENT 0x04u
#define INT_ROOM 0x08u

struct ends {
	uint8_t sent[WIRE_FRAME];
	size_t sent_len;
	unsigned waiting; /* frames, numbered from 1, that next() has still to give */
	unsigned given;
	size_t len;
	uint8_t first; /* of the address */
};

static struct ends wire;
static bool level;

static void set_level(void *to, unsigned input, bool value)
{
	(void)to;
	(void)input;
	level = value;
}

static void take(void *to, const uint8_t *frame, size_t len)
{
	(void)to;
	memcpy(wire.sent, frame, len);
	wire.sent_len = len;
}

static size_t give(void *to, uint8_t *frame)
{
	(void)to;
	if (wire.waiting == 0)
		return 0;
	wire.waiting--;
	wire.given++;
	for (size_t n = 0; n < wire.len; n++)
		frame[n] = (uint8_t)(n + wire.given);
	memcpy(frame, "\x52\x54\x00\x12\x34\x56", 6);
	frame[0] = wire.first;
	return wire.len;
}

static struct bus_device begin(void)
{
	memset(&wire, 0, sizeof(wire));
	wire.len = 64;
	wire.first = 0x52;
	level = false;
	return smc91c111_device(
		smc91c111_new((struct irq){set_level, NULL, 0}, (struct wire){take, give, NULL}),
		0);
}

static void end(const struct bus_device *device)
{
	smc91c111_free(device->device);
}

static void put(const struct bus_device *device, unsigned bank, unsigned reg, uint32_t value)
{
	device->write(device->device, BANK, 2, bank);
	device->write(device->device, reg, 2, value);
}

static unsigned get(const struct bus_device *device, unsigned bank, unsigned reg)
{
	device->write(device->device, BANK, 2, bank);
	return device->read(device->device, reg, 2);
}

/* Allocate, fill and queue a packet of len bytes n, n + 1 and so on. */
static unsigned send_frame(const struct bus_device *device, unsigned len)
{
	unsigned packet;

	put(device, 2, 0, ALLOC);
	assert_int_equal(get(device, 2, 12) & INT_ROOM, INT_ROOM);
	packet = get(device, 2, 2) >> 8;
	put(device, 2, 2, packet);
	put(device, 2, 6, 0x4000);
	put(device, 2, 8, 0);
	put(device, 2, 8, len + 6);
	for (unsigned n = 0; n + 1 < len; n += 2)
		put(device, 2, 8, (n & 0xff) | (n + 1) << 8);
	put(device, 2, 8, len & 1 ? 0x2000 | ((len - 1) & 0xff) : 0);
	put(device, 2, 0, ENQUEUE);
	return packet;
}

static void check_sent(size_t len, size_t data)
{
	assert_int_equal(wire.sent_len, len);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(wire.sent[n], n < data ? n & 0xff : 0);
}

static void test_probe(void **state)
{
	struct bus_device device = begin();

	(void)state;
	assert_int_equal(get(&device, 0, BANK), 0x3300);
	assert_int_equal(get(&device, 3, BANK), 0x3303);
	assert_int_equal(get(&device, 3, 10), 0x3391);
	assert_int_equal(get(&device, 1, 4), 0x5452);
	assert_int_equal(get(&device, 0, 8), 0x0404);
	assert_int_equal(get(&device, 0, 2) & 0x4000, 0x4000); /* link */
	put(&device, 7, 0, 0xffff);
	assert_int_equal(get(&device, 7, 0), 0);
	/* A word write at 12 reaches the bank only. */
	put(&device, 2, 12, 0x0100);
	device.write(device.device, 12, 4, 2u << 16);
	assert_int_equal(device.read(device.device, 12, 4), 0x33020100);
	end(&device);
}

static void test_send(void **state)
{
	struct bus_device device = begin();

	(void)state;
	send_frame(&device, 100); /* the transmitter is off */
	assert_int_equal(wire.sent_len, 0);
	put(&device, 2, 0, 0x40);
	put(&device, 0, 0, 0x81);
	put(&device, 1, 12, 0x0800); /* released when sent */
	for (unsigned n = 0; n < 10; n++) {
		send_frame(&device, 60 + n);
		check_sent(60 + n, 60 + n);
	}
	send_frame(&device, 14);
	check_sent(60, 14);
	send_frame(&device, 1514);
	check_sent(1514, 1514);
	assert_int_equal(get(&device, 2, 12) & 0xff, INT_SENT | INT_ROOM);
	put(&device, 2, 12, INT_SENT << 8);
	assert_true(level);
	put(&device, 2, 12, INT_SENT << 8 | INT_SENT);
	assert_false(level);
	end(&device);
}

static void test_sent_packets_wait(void **state)
{
	struct bus_device device = begin();
	unsigned packet[4];

	(void)state;
	put(&device, 0, 0, 0x81);
	put(&device, 1, 12, 0);
	for (unsigned n = 0; n < 4; n++)
		packet[n] = send_frame(&device, 60);
	assert_int_equal(get(&device, 2, 4), 0x8000 | packet[0]);
	put(&device, 2, 0, ALLOC);
	assert_int_equal(get(&device, 2, 2) >> 8, 0x80); /* no room */
	assert_int_equal(get(&device, 2, 12) & 0xff, INT_TX | INT_SENT);
	put(&device, 2, 12, INT_ROOM << 8);
	assert_false(level);
	put(&device, 2, 2, packet[0]);
	put(&device, 2, 0, FREE);
	assert_true(level); /* the allocation was remembered */
	assert_int_equal(get(&device, 2, 2) >> 8, packet[0]);
	assert_int_equal(get(&device, 2, 4) & 0xff, packet[1]);
	end(&device);
}

static void check_received(const struct bus_device *device, unsigned number, unsigned len)
{
	unsigned value;

	put(device, 2, 6, 0xe000);
	assert_int_equal(get(device, 2, 8), len & 1 ? 0x1000 : 0);
	assert_int_equal(get(device, 2, 8), (len & ~1u) + 6);
	for (unsigned n = 0; n + 1 < len; n += 2) {
		value = get(device, 2, 8);
		if (n >= 6) {
			assert_int_equal(value & 0xff, (n + number) & 0xff);
			assert_int_equal(value >> 8, (n + 1 + number) & 0xff);
		}
	}
	value = get(device, 2, 8);
	assert_int_equal(value, len & 1 ? 0x6000 | ((len - 1 + number) & 0xff) : 0x4000);
}

static void test_receive(void **state)
{
	struct bus_device device = begin();
	struct smc91c111 *card = device.device;

	(void)state;
	wire.waiting = 2;
	smc91c111_receive(card); /* off: lost */
	assert_int_equal(wire.waiting, 0);
	assert_int_equal(get(&device, 2, 4), 0x8080);
	put(&device, 0, 4, 0x100);
	put(&device, 2, 12, INT_RX << 8);
	wire.len = 65;
	wire.waiting = 6;
	smc91c111_receive(card);
	assert_int_equal(wire.waiting, 3); /* the rest waits outside; one packet is for sending */
	assert_true(level);
	for (unsigned n = 0; n < 6; n++) {
		check_received(&device, n + 3, 65);
		put(&device, 2, 0, RELEASE);
	}
	assert_false(level);
	assert_int_equal(get(&device, 2, 4), 0x8080);
	wire.len = 1514;
	wire.waiting = 1;
	smc91c111_receive(card);
	check_received(&device, 9, 1514);
	end(&device);
}

static void test_filter(void **state)
{
	struct bus_device device = begin();
	struct smc91c111 *card = device.device;

	(void)state;
	put(&device, 0, 4, 0x100);
	wire.first = 0x50; /* somebody else */
	wire.waiting = 1;
	smc91c111_receive(card);
	assert_int_equal(get(&device, 2, 4) >> 8, 0x80);
	wire.first = 0x01; /* multicast */
	wire.waiting = 1;
	smc91c111_receive(card);
	assert_int_equal(get(&device, 2, 4) >> 8, 0x80);
	put(&device, 0, 4, 0x104);
	wire.waiting = 1;
	smc91c111_receive(card);
	assert_int_not_equal(get(&device, 2, 4) >> 8, 0x80);
	put(&device, 0, 4, 0x8000); /* reset */
	assert_int_equal(get(&device, 2, 4), 0x8080);
	assert_int_equal(get(&device, 0, 4), 0);
	end(&device);
}

static void mii_out(const struct bus_device *device, uint32_t value, unsigned bits)
{
	while (bits--) {
		unsigned pins = 8 | (value >> bits & 1);

		put(device, 3, 8, pins);
		put(device, 3, 8, pins | 4);
	}
}

static unsigned phy_read(const struct bus_device *device, unsigned address, unsigned reg)
{
	unsigned value = 0;

	mii_out(device, UINT32_MAX, 32);
	mii_out(device, 6u << 10 | address << 5 | reg, 14);
	put(device, 3, 8, 0);
	for (unsigned n = 0; n < 18; n++) {
		value = value << 1 | (get(device, 3, 8) >> 1 & 1);
		put(device, 3, 8, 0);
		put(device, 3, 8, 4);
	}
	return value;
}

static void phy_write(const struct bus_device *device, unsigned reg, unsigned value)
{
	mii_out(device, UINT32_MAX, 32);
	mii_out(device, 5u << 28 | reg << 18 | 2u << 16 | value, 32);
}

static void test_phy(void **state)
{
	struct bus_device device = begin();

	(void)state;
	assert_int_equal(phy_read(&device, 0, 2), 0x0016);
	assert_int_equal(phy_read(&device, 0, 3), 0xf840);
	assert_int_equal(phy_read(&device, 1, 2), 0);
	assert_int_equal(phy_read(&device, 0, 1), 0x782d);
	phy_write(&device, 4, 0x0181);
	assert_int_equal(phy_read(&device, 0, 4), 0x0181);
	phy_write(&device, 0, 0x0800); /* off: no link */
	assert_int_equal(phy_read(&device, 0, 1), 0x7809);
	phy_write(&device, 0, 0x8000);
	assert_int_equal(phy_read(&device, 0, 0), 0x3000);
	assert_int_equal(phy_read(&device, 0, 4), 0x01e1);
	end(&device);
}

/* Whatever a guest writes, nothing outside the packet memory is touched (asan looks). */
static void test_nonsense(void **state)
{
	struct bus_device device = begin();
	uint64_t random = 1;

	(void)state;
	wire.len = 1514;
	for (unsigned n = 0; n < 400000; n++) {
		uint32_t offset, value;
		unsigned bytes;

		random = random * 6364136223846793005u + 1442695040888963407u;
		bytes = 1u << (random >> 60) % 3;
		offset = (uint32_t)(random >> 56) & 15 & ~(bytes - 1);
		value = (uint32_t)(random >> 24);
		wire.waiting = 1;
		if (n % 16 == 0)
			put(&device, n / 16 % 4, 4, 0x100);
		if (random >> 63)
			(void)device.read(device.device, offset, bytes);
		else
			device.write(device.device, offset, bytes, value);
	}
	assert_true(wire.given > 100 && wire.sent_len > 0);
	end(&device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),    cmocka_unit_test(test_send),
		cmocka_unit_test(test_receive),  cmocka_unit_test(test_sent_packets_wait),
		cmocka_unit_test(test_filter),   cmocka_unit_test(test_phy),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
