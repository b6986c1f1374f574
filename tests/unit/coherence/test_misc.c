/* test_misc.c - small parts: cache class of a boot line, SHA-256, AES, slots, generated code. */
#include "jobs/coherence/aes.h"
#include "jobs/coherence/jit.h"
#include "jobs/coherence/pages.h"
#include "jobs/coherence/platform.h"
#include "jobs/coherence/sha256.h"
#include "jobs/coherence/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static void test_boot_lines(void **state)
{
	static const struct {
		const char *line;
		unsigned int class_bit;
	} rows[] = {
		{"CPU: VIVT data cache, VIVT instruction cache", CLASS_VIVT},
		{"CPU: VIPT aliasing data cache, unknown instruction cache", CLASS_VIPT_ALIASING},
		{"CPU: PIPT / VIPT nonaliasing data cache, VIPT aliasing instruction cache",
	         CLASS_VIPT_NONALIASING},
		{"CPU: VIPT nonaliasing data cache, VIPT nonaliasing instruction cache",
	         CLASS_VIPT_NONALIASING},
		{"CPU0: D VIVT undefined 5 cache", CLASS_VIVT},
		{"CPU: unknown data cache, unknown instruction cache", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(platform_class_of_line(rows[i].line), rows[i].class_bit);
}

/* The second example of FIPS 180-4, fed in pieces. */
static void test_sha256(void **state)
{
	static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static const uint8_t want[SHA256_BYTES] = {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8,
	                                           0xe5, 0xc0, 0x26, 0x93, 0x0c, 0x3e, 0x60, 0x39,
	                                           0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff, 0x21, 0x67,
	                                           0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1};
	uint8_t digest[SHA256_BYTES];
	struct sha256 hash;

	(void)state;
	sha256_init(&hash);
	sha256_update(&hash, text, 1);
	sha256_update(&hash, text + 1, sizeof(text) - 2);
	sha256_final(&hash, digest);
	assert_memory_equal(digest, want, sizeof(want));
}

/* The examples of FIPS 197 (appendix C.1) and IEEE 1619 (vector 1), there and back. */
static void test_aes(void **state)
{
	static const uint8_t plain[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
	                                0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	static const uint8_t want_cbc[] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
	                                   0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};
	static const uint8_t want_xts[] = {0x91, 0x7c, 0xf6, 0x9e, 0xbd, 0x68, 0xb2, 0xec,
	                                   0x9b, 0x9f, 0xe9, 0xa3, 0xea, 0xdd, 0xa6, 0x92,
	                                   0xcd, 0x43, 0xd2, 0xf5, 0x95, 0x98, 0xed, 0x85,
	                                   0x8c, 0x02, 0xc2, 0x65, 0x2f, 0xbf, 0x92, 0x2e};
	static const uint8_t zero[2 * AES_KEY_BYTES];
	uint8_t key[AES_KEY_BYTES];
	uint8_t data[2 * AES_BLOCK_BYTES];

	(void)state;
	for (uint8_t i = 0; i < AES_KEY_BYTES; i++)
		key[i] = i;
	memcpy(data, plain, sizeof(plain));
	aes_cbc(AES_ENCRYPT, key, zero, data, sizeof(plain));
	assert_memory_equal(data, want_cbc, sizeof(want_cbc));
	aes_cbc(AES_DECRYPT, key, zero, data, sizeof(plain));
	assert_memory_equal(data, plain, sizeof(plain));

	memset(data, 0, sizeof(data));
	aes_xts(AES_ENCRYPT, zero, zero, data, sizeof(data));
	assert_memory_equal(data, want_xts, sizeof(want_xts));
	aes_xts(AES_DECRYPT, zero, zero, data, sizeof(data));
	assert_memory_equal(data, zero, sizeof(data));
}

/* Every page of a slot has its colour, and fences on both sides that fault. */
static void test_slots(void **state)
{
	void *slots = slots_reserve(3);

	(void)state;
	assert_non_null(slots);
	for (unsigned int index = 0; index < 3; index++) {
		for (unsigned int colour = 0; colour < COLOURS; colour++) {
			uint8_t *at = slot_at(slots, index, colour);
			unsigned char resident;

			assert_int_equal(colour_of(at), colour);
			assert_true(mmap(at, 4096, PROT_READ | PROT_WRITE,
			                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
			*at = 1;
			/* Reserved, not a hole: mincore() would say ENOMEM there. */
			assert_int_equal(mincore(at - 4096, 4096, &resident), 0);
			assert_int_equal(mincore(at + 4096, 4096, &resident), 0);
			slot_clear(slots, index);
		}
	}
}

static void test_generated_code(void **state)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(page != MAP_FAILED);
	assert_int_equal(jit_catch_faults(), 0);
	for (uint32_t value = 0; value < 0x10000; value += 257) {
		jit_emit(page, JIT_NATIVE, (uint16_t)value);
		assert_int_equal(jit_flush(page, (uint8_t *)page + jit_size(JIT_NATIVE)), 0);
		assert_int_equal(jit_call(page, JIT_NATIVE), value);
	}
	/* What is no code of ours is a result, not the end of the process. */
	memset(page, 0xff, 64);
	(void)jit_flush(page, (uint8_t *)page + 64);
	assert_int_equal(jit_call(page, JIT_NATIVE), JIT_CRASHED);
	(void)munmap(page, 4096);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_boot_lines),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_aes),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_generated_code),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
