#include "agent/kmsg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool parse(const char *text, struct kmsg_record *rec)
{
	return kmsg_parse(text, strlen(text), rec);
}

static void a_kernel_record_with_properties(void **state)
{
	struct kmsg_record rec;

	(void)state;
	assert_true(parse("4,339,5140900,-;usb 1-1: new device\n SUBSYSTEM=usb\n DEVICE=c189:1\n",
	                  &rec));
	assert_int_equal(rec.level, 4);
	assert_int_equal(rec.facility, 0);
	assert_int_equal(rec.seq, 339);
	assert_int_equal(rec.stamp_us, 5140900);
	assert_int_equal(rec.len, strlen("usb 1-1: new device"));
	assert_memory_equal(rec.text, "usb 1-1: new device", rec.len);
}

/* Programs write with facility 1 and up: nothing of theirs is the kernel's word. */
static void a_programs_record_has_its_facility(void **state)
{
	struct kmsg_record rec;

	(void)state;
	assert_true(parse("12,355,2098717803,-;cohort: begin 0 echo\n", &rec));
	assert_int_equal(rec.facility, 1);
	assert_int_equal(rec.level, 4);
}

static void later_kernels_add_fields(void **state)
{
	struct kmsg_record rec;

	(void)state;
	assert_true(parse("6,1,0,-,caller=T1;text; with , and ;\n", &rec));
	assert_int_equal(rec.len, strlen("text; with , and ;"));
	assert_true(parse("6,1,0;short\n", &rec));
	assert_int_equal(rec.len, 5);
	assert_true(parse("6,1,0,-;no newline", &rec));
	assert_int_equal(rec.len, 10);
}

static void what_is_no_record_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		";",
		"6",
		"6,",
		"6,1",
		"6,1,",
		"6,1,2",
		"6,1,2,-",
		"x,1,2,-;t\n",
		"6,,2,-;t\n",
		"-6,1,2,-;t\n",
		"6;1,2,-;t\n",
		"99999999999999999999999999999,1,2,-;t\n",
	};
	struct kmsg_record rec;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse(bad[i], &rec))
			fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_record_with_properties),
		cmocka_unit_test(a_programs_record_has_its_facility),
		cmocka_unit_test(later_kernels_add_fields),
		cmocka_unit_test(what_is_no_record_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
