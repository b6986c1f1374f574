/* Timers, interrupt controllers, serial port and system registers, each by its registers. */
#include "emulator/dev_pl011.h"
#include "emulator/dev_pl190.h"
#include "emulator/dev_sic.h"
#include "emulator/dev_sp804.h"
#include "emulator/dev_sysreg.h"
#include "rig.h"

static bool levels[64];

static void set_level(void *to, unsigned input, bool level)
{
	(void)to;
	levels[input] = level;
}

static struct irq wire(unsigned n)
{
	levels[n] = false;
	return (struct irq){set_level, NULL, n};
}

static uint32_t get(const struct bus_device *device, uint32_t offset)
{
	return device->read(device->device, offset, 4);
}

static void set(const struct bus_device *device, uint32_t offset, uint32_t value)
{
	device->write(device->device, offset, 4, value);
}

static void test_timer_oneshot(void **state)
{
	static struct cpu cpu;
	struct clock clock = {&cpu, 100, 0};
	struct sp804 *timer = sp804_new(&clock, wire(0));
	struct bus_device device = sp804_device(timer, 0);

	(void)state;
	cpu.count = 0;
	set(&device, 0x00, 50);   /* load */
	set(&device, 0x08, 0xa3); /* enable, interrupt, 32 bits, one shot */
	assert_int_equal(sp804_update(timer, 0), 50000);
	cpu.count = 2000; /* 20 us at 100 a microsecond */
	assert_int_equal(get(&device, 0x04), 30);
	assert_false(levels[0]);
	assert_int_equal(sp804_update(timer, 49999), 50000);
	assert_false(levels[0]);
	assert_int_equal(sp804_update(timer, 50000), CLOCK_NEVER);
	assert_true(levels[0]);
	cpu.count = 9000;
	assert_int_equal(get(&device, 0x04), 0);
	assert_int_equal(get(&device, 0x14), 1);
	set(&device, 0x0c, 1);
	assert_false(levels[0]);
	sp804_free(timer);
}

static void test_timer_periodic(void **state)
{
	static struct cpu cpu;
	struct clock clock = {&cpu, 100, 0};
	struct sp804 *timer = sp804_new(&clock, wire(0));
	struct bus_device device = sp804_device(timer, 0);

	(void)state;
	cpu.count = 0;
	set(&device, 0x20, 9);    /* the second timer, 10 ticks a period */
	set(&device, 0x28, 0xe2); /* enable, periodic, interrupt, 32 bits */
	for (uint64_t n = 0; n < 5; n++) {
		uint64_t due = 9000 + 10000 * n;

		assert_int_equal(sp804_update(timer, due - 1), due);
		assert_false(levels[0]);
		(void)sp804_update(timer, due);
		assert_true(levels[0]);
		cpu.count = due / 10;
		assert_int_equal(get(&device, 0x24), 0);
		set(&device, 0x2c, 1);
	}
	/* Free running: counts down from all ones, and wraps. */
	set(&device, 0x00, 3);
	set(&device, 0x08, 0x82);
	cpu.count += 500;
	assert_int_equal(get(&device, 0x04), UINT32_MAX - 1);
	sp804_free(timer);
}

static void test_interrupt_controller(void **state)
{
	struct pl190 *vic = pl190_new(wire(0), wire(1));
	struct bus_device device = pl190_device(vic, 0);
	struct irq input = pl190_input(vic, 31);

	(void)state;
	irq_set(&input, true);
	assert_false(levels[0]);
	assert_int_equal(get(&device, 0x08), 0x80000000);
	set(&device, 0x10, 0x80000000);
	assert_true(levels[0]);
	assert_int_equal(get(&device, 0x00), 0x80000000);
	set(&device, 0x0c, 0x80000000); /* as FIQ */
	assert_false(levels[0]);
	assert_true(levels[1]);
	assert_int_equal(get(&device, 0x04), 0x80000000);
	irq_set(&input, false);
	assert_false(levels[1]);
	set(&device, 0x10, 1);
	set(&device, 0x18, 1); /* software interrupt */
	assert_true(levels[0]);
	set(&device, 0x14, 1);
	assert_false(levels[0]);
	assert_int_equal(get(&device, 0xfe0), 0x90);
	pl190_free(vic);
}

static void test_secondary_controller(void **state)
{
	struct irq pass_on[32] = {{NULL, NULL, 0}};
	struct sic *sic;
	struct bus_device device;
	struct irq first, passed;

	(void)state;
	pass_on[22] = wire(22);
	sic = sic_new(wire(0), pass_on);
	device = sic_device(sic, 0);
	first = sic_input(sic, 3);
	passed = sic_input(sic, 22);
	irq_set(&first, true);
	assert_false(levels[0]);
	set(&device, 0x08, 8);
	assert_true(levels[0]);
	assert_int_equal(get(&device, 0x00), 8);
	set(&device, 0x0c, 8);
	assert_false(levels[0]);
	irq_set(&passed, true);
	assert_false(levels[22]);
	set(&device, 0x20, 1u << 22);
	assert_true(levels[22]);
	set(&device, 0x24, 1u << 22);
	assert_false(levels[22]);
	sic_free(sic);
}

static void keep_byte(void *to, uint8_t byte)
{
	*(uint8_t *)to = byte;
}

static void test_serial_port(void **state)
{
	uint8_t sent = 0;
	struct pl011 *uart = pl011_new(wire(0), keep_byte, &sent);
	struct bus_device device = pl011_device(uart, 0);

	(void)state;
	assert_int_equal(get(&device, 0x18), 0x90); /* nothing received, all sent */
	set(&device, 0x00, 'x');
	assert_int_equal(sent, 'x');
	assert_false(levels[0]);
	set(&device, 0x38, 0x70);
	assert_true(levels[0]); /* room to send */
	set(&device, 0x44, 0x20);
	assert_false(levels[0]);
	for (unsigned n = 0; n < 20; n++)
		pl011_receive(uart, (uint8_t)('a' + n));
	assert_false(pl011_has_room(uart));
	assert_true(levels[0]);
	for (unsigned n = 0; n < 16; n++)
		assert_int_equal(get(&device, 0x00), 'a' + n);
	assert_false(levels[0]);
	assert_int_equal(get(&device, 0x18), 0x90);
	assert_int_equal(get(&device, 0xfe0), 0x11);
	pl011_free(uart);
}

static void test_system_registers(void **state)
{
	static struct cpu cpu;
	struct clock clock = {&cpu, 100, 0};
	struct sysreg *sysreg = sysreg_new(&clock);
	struct bus_device device = sysreg_device(sysreg, 0x10000000);

	(void)state;
	cpu.count = 1000000; /* 10 ms */
	assert_int_equal(get(&device, 0x5c), 240000);
	assert_int_equal(get(&device, 0x24), 1);
	set(&device, 0x40, 0x105); /* locked */
	assert_false(sysreg_reset_asked(sysreg));
	set(&device, 0x20, 0xa05f);
	assert_int_equal(get(&device, 0x20), 0xa05f);
	cpu.run_until = UINT64_MAX;
	set(&device, 0x40, 0x105);
	assert_true(sysreg_reset_asked(sysreg));
	assert_int_equal(cpu.run_until, 0);
	set(&device, 0x08, 0x12);
	assert_int_equal(get(&device, 0x08), 0x12);
	sysreg_free(sysreg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timer_oneshot),
		cmocka_unit_test(test_timer_periodic),
		cmocka_unit_test(test_interrupt_controller),
		cmocka_unit_test(test_secondary_controller),
		cmocka_unit_test(test_serial_port),
		cmocka_unit_test(test_system_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
