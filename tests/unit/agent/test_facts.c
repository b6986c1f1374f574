#include "agent/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t note(unsigned char *out, uint32_t namesz, uint32_t descsz, uint32_t type,
                   const char *name, const char *desc)
{
	uint32_t head[3] = {namesz, descsz, type};
	size_t at = sizeof(head);

	(void)memcpy(out, head, sizeof(head));
	(void)memcpy(out + at, name, namesz);
	at += (namesz + 3) & ~3u;
	(void)memcpy(out + at, desc, descsz);
	return at + ((descsz + 3) & ~3u);
}

/* As a real kernel has them: other notes stand in front, with names and contents of odd lengths. */
static void the_build_id_is_found_behind_other_notes(void **state)
{
	unsigned char notes[256] = {0};
	char hex[129];
	size_t at = 0;

	(void)state;
	at += note(notes + at, 6, 1, 256, "Linux\0", "\1");
	at += note(notes + at, 4, 5, 1, "GNU\0", "abcde");
	at += note(notes + at, 4, 4, 3, "GNU\0", "\x95\x95\x1e\x6c");
	assert_true(facts_build_id(notes, at, hex));
	assert_string_equal(hex, "95951e6c");
}

/* A wrong kernel's notes: each cut, and each size that lies, ends the search and reads nothing outside. */
static void notes_that_lie_are_refused(void **state)
{
	unsigned char notes[64] = {0};
	uint32_t sizes[] = {0, 5, 17, 65, 4096, 65537, 0x7fffffff, 0xfffffffc, 0xffffffff};
	char hex[129];
	size_t len = note(notes, 4, 4, 3, "GNU\0", "\1\2\3\4");

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		unsigned char *exact = malloc(cut ? cut : 1);

		(void)memcpy(exact, notes, cut);
		assert_false(facts_build_id(exact, cut, hex));
		free(exact);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (size_t field = 0; field < 8; field += 4) {
			unsigned char *exact = malloc(len);

			(void)memcpy(exact, notes, len);
			(void)memcpy(exact + field, &sizes[i], 4);
			assert_false(facts_build_id(exact, len, hex));
			free(exact);
		}
	}
}

static void cpu_of_an_arm926(void **state)
{
	json_t *cpu = facts_cpu(
		"processor\t: 0\nmodel name\t: ARM926EJ-S rev 5 (v5l)\nCPU implementer\t: 0x41\n"
		"CPU architecture: 5TEJ\nCPU variant\t: 0x0\nCPU part\t: 0x926\nCPU revision\t: 5\n\n"
		"Hardware\t: ARM-Versatile (Device Tree Support)\nRevision\t: 0000\n");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(cpu, "implementer")), "0x41");
	assert_string_equal(json_string_value(json_object_get(cpu, "architecture")), "5TEJ");
	assert_string_equal(json_string_value(json_object_get(cpu, "part")), "0x926");
	assert_string_equal(json_string_value(json_object_get(cpu, "revision")), "5");
	assert_string_equal(json_string_value(json_object_get(cpu, "hardware")),
	                    "ARM-Versatile (Device Tree Support)");
	json_decref(cpu);
}

static void what_is_not_there_is_null(void **state)
{
	json_t *cpu = facts_cpu("vendor_id\t: GenuineIntel\nCPU part");

	(void)state;
	assert_true(json_is_null(json_object_get(cpu, "implementer")));
	assert_true(json_is_null(json_object_get(cpu, "part")));
	assert_int_equal(json_object_size(cpu), 6);
	json_decref(cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_build_id_is_found_behind_other_notes),
		cmocka_unit_test(notes_that_lie_are_refused),
		cmocka_unit_test(cpu_of_an_arm926),
		cmocka_unit_test(what_is_not_there_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
