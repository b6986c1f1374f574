/* The trace: what it calls stale, whom it names, and what it keeps quiet about. */
#include "rig.h"

#include "emulator/symbols.h"
#include "emulator/trace.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define U PAGED /* two names of one frame */
#define K (PAGED + 0x5000)

struct traced {
	struct rig rig;
	struct symbols *symbols;
	struct trace *trace;
	char path[32];
};

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void begin(struct traced *t, uint32_t limit)
{
	struct err err;
	int fd;

	memcpy(t->path, "/tmp/cohort-trace-XXXXXX", 25);
	fd = mkstemp(t->path);
	assert_true(fd >= 0);
	(void)close(fd);
	write_file(t->path, "00001000 T writer\n00002000 t reader\n00002f00 D no_function\n");
	t->symbols = symbols_new();
	assert_int_equal(symbols_read(t->symbols, t->path, &err), 0);
	rig_begin(&t->rig, false);
	rig_paging(&t->rig);
	map_page(&t->rig, U, FRAME, CACHED);
	map_page(&t->rig, K, FRAME, CACHED);
	t->trace = trace_new(t->path, limit, t->symbols, &err);
	assert_non_null(t->trace);
	mem_trace(&t->rig.mem, &t->rig.cpu, t->trace);
}

/* End, and return the lines of the file as an array. */
static json_t *end(struct traced *t)
{
	struct err err;
	json_t *lines = json_array();
	FILE *file;
	char line[1024];

	assert_int_equal(trace_finish(t->trace, &err), 0);
	trace_free(t->trace);
	symbols_free(t->symbols);
	rig_end(&t->rig);
	file = fopen(t->path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		json_t *object = json_loads(line, 0, NULL);

		assert_non_null(object);
		json_array_append_new(lines, object);
	}
	(void)fclose(file);
	(void)unlink(t->path);
	return lines;
}

static void expect(const json_t *lines, size_t n, const char *key, const char *value)
{
	assert_string_equal(json_string_value(json_object_get(json_array_get(lines, n), key)),
	                    value);
}

static void at(struct traced *t, uint32_t pc)
{
	t->rig.cpu.pc = pc;
}

/* K is dirty, U has the old bytes. */
static void test_stale_line(void **state)
{
	struct traced t;
	const json_t *writer;
	json_t *lines;

	(void)state;
	begin(&t, 10);
	(void)load(&t.rig, U);
	(void)load(&t.rig, K);
	at(&t, 0x1004);
	store(&t.rig, K, 2);
	at(&t, 0x2008);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(load(&t.rig, U), 0);
	(void)load(&t.rig, U + 4); /* another word: nothing is wrong with that */
	lines = end(&t);
	assert_int_equal(json_array_size(lines), 3);
	expect(lines, 0, "type", "stale");
	expect(lines, 0, "what", "load");
	expect(lines, 0, "at", "reader+0x8");
	expect(lines, 0, "mode", "kernel");
	expect(lines, 0, "va", "0x00100000");
	expect(lines, 0, "pa", "0x00080000");
	expect(lines, 0, "got", "0x00000000");
	expect(lines, 0, "newest", "0x00000002");
	expect(lines, 0, "from", "D-line");
	expect(lines, 0, "newest_in", "D-line");
	expect(lines, 0, "line_va", "0x00105000");
	writer = json_object_get(json_array_get(lines, 0), "writer");
	assert_string_equal(json_string_value(json_object_get(writer, "at")), "writer+0x4");
	assert_string_equal(json_string_value(json_object_get(writer, "va")), "0x00105000");
	assert_int_equal(json_integer_value(json_object_get(writer, "colour")), 1);
	expect(lines, 1, "type", "repeated");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 1), "count")), 3);
	expect(lines, 2, "type", "end");
	json_decref(lines);
}

/* Memory is newer than the line; then memory is older than a line and no line of the reader's exists. */
static void test_memory(void **state)
{
	struct traced t;
	json_t *lines;

	(void)state;
	begin(&t, 10);
	(void)load(&t.rig, U);
	store(&t.rig, K, 2); /* misses: goes to memory */
	(void)load(&t.rig, U);
	map_page(&t.rig, K, FRAME + 0x1000, CACHED);
	map_page(&t.rig, U, FRAME + 0x1000, UNCACHED);
	(void)load(&t.rig, K + 64);
	store(&t.rig, K + 64, 3);
	at(&t, 0x2000);
	(void)load(&t.rig, U + 64);
	lines = end(&t);
	assert_int_equal(json_array_size(lines), 3);
	expect(lines, 0, "newest_in", "memory");
	expect(lines, 1, "from", "memory");
	expect(lines, 1, "newest_in", "D-line");
	json_decref(lines);
}

/* A half line is written back over a newer word beside the one that was stored. */
static void test_overwritten(void **state)
{
	struct traced t;
	json_t *lines;

	(void)state;
	begin(&t, 10);
	(void)load(&t.rig, U);
	at(&t, 0x2000);
	store(&t.rig, U, 1); /* dirty, with the old word at + 4 */
	at(&t, 0x1000);
	store(&t.rig, K + 4, 2);  /* in memory */
	store(&t.rig, K + 16, 4); /* the other half: unharmed */
	c7(&t.rig, 10, 1, U);
	at(&t, 0x2010);
	assert_int_equal(load(&t.rig, K + 4), 0);
	lines = end(&t);
	assert_int_equal(json_array_size(lines), 3);
	expect(lines, 0, "type", "overwritten");
	expect(lines, 0, "at", "reader+0x0"); /* who stored to the line */
	expect(lines, 0, "pa", "0x00080004");
	expect(lines, 0, "newest", "0x00000002");
	expect(lines, 1, "type", "stale");
	expect(lines, 1, "newest_in", "nowhere");
	assert_non_null(json_object_get(json_array_get(lines, 1), "cause"));
	json_decref(lines);
}

/* Dirty bytes thrown away are no fault; who misses them later is told by whom. */
static void test_dropped(void **state)
{
	struct traced t;
	const json_t *cause;
	json_t *lines;

	(void)state;
	begin(&t, 10);
	(void)load(&t.rig, U);
	store(&t.rig, U, 1);
	store(&t.rig, U + 4, 1);
	at(&t, 0x1000);
	c7(&t.rig, 6, 1, U);
	store(&t.rig, U, 5); /* written anew: nobody misses the old one */
	assert_int_equal(load(&t.rig, U), 5);
	at(&t, 0x2000);
	assert_int_equal(load(&t.rig, U + 4), 0);
	lines = end(&t);
	assert_int_equal(json_array_size(lines), 2);
	expect(lines, 0, "pa", "0x00080004");
	expect(lines, 0, "newest_in", "nowhere");
	cause = json_object_get(json_array_get(lines, 0), "cause");
	assert_string_equal(json_string_value(json_object_get(cause, "at")), "writer+0x0");
	json_decref(lines);
}

static void test_fetch(void **state)
{
	struct traced t;
	json_t *lines;

	(void)state;
	begin(&t, 10);
	assert_true(mem_fetch_line(&t.rig.mem, U + 8, 0));
	assert_int_equal(t.rig.mem.fetch_line, U);
	store(&t.rig, K + 8, 2);
	assert_int_equal(t.rig.mem.fetch_line, FETCH_NONE); /* looked at again */
	store(&t.rig, K + 16, 2);
	assert_true(mem_fetch_line(&t.rig.mem, U + 12, 0)); /* not this one */
	assert_true(mem_fetch_line(&t.rig.mem, U + 8, 0));
	lines = end(&t);
	assert_int_equal(json_array_size(lines), 2);
	expect(lines, 0, "what", "fetch");
	expect(lines, 0, "va", "0x00100008");
	expect(lines, 0, "from", "I-line");
	expect(lines, 0, "newest_in", "memory");
	json_decref(lines);
}

/* A device sees memory only, and what it writes is the newest. */
static void test_dma(void **state)
{
	struct traced t;
	json_t *lines;

	(void)state;
	begin(&t, 10);
	(void)load(&t.rig, K + 32);
	store(&t.rig, K + 36, 7);
	trace_dma(t.trace, "disk", TRACE_DMA_READ, FRAME, 32); /* ends before it */
	trace_dma(t.trace, "disk", TRACE_DMA_READ, FRAME, 64);
	c7(&t.rig, 10, 1, K + 32);
	trace_dma(t.trace, "disk", TRACE_DMA_READ, FRAME, 64);
	poke(&t.rig, FRAME + 40, 9);
	trace_dma(t.trace, "disk", TRACE_DMA_WRITE, FRAME + 40, 4);
	at(&t, 0x2000);
	(void)load(&t.rig, K + 40);
	trace_dma(t.trace, "disk", TRACE_DMA_READ, 0xf0000000, 64); /* no RAM */
	trace_dma(NULL, "disk", TRACE_DMA_READ, FRAME, 64);
	lines = end(&t);
	assert_int_equal(json_array_size(lines), 3);
	expect(lines, 0, "what", "dma");
	expect(lines, 0, "at", "disk");
	expect(lines, 0, "pa", "0x00080024");
	expect(lines, 1, "what", "load");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(json_array_get(lines, 1), "writer"), "mode")),
	                    "device");
	json_decref(lines);
}

static void test_limit(void **state)
{
	struct traced t;
	const json_t *last;
	json_t *lines;

	(void)state;
	begin(&t, 2);
	(void)load(&t.rig, U);
	store(&t.rig, K, 2);
	for (uint32_t n = 0; n < 5; n++) {
		at(&t, 0x2000 + 4 * n);
		(void)load(&t.rig, U);
	}
	lines = end(&t);
	assert_int_equal(json_array_size(lines), 3);
	last = json_array_get(lines, 2);
	assert_int_equal(json_integer_value(json_object_get(last, "pairs")), 2);
	assert_int_equal(json_integer_value(json_object_get(last, "total")), 5);
	assert_int_equal(json_integer_value(json_object_get(last, "not_written")), 3);
	json_decref(lines);
}

static void test_symbols(void **state)
{
	static const char *const bad[] = {"nonsense\n",        "c0008000\n",      "c0008000 T\n",
	                                  "c0008000 T a\"b\n", "1c0008000 T a\n", ""};
	char path[] = "/tmp/cohort-trace-XXXXXX";
	struct symbols *symbols = symbols_new();
	uint32_t offset;
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	write_file(
		path,
		"c0009000 t second\n         U undefined\nc0008000 T first\n"
		"c0008800 d data\nfffe0000 ? __sitcm_text\nbf000000 t mod\t[module]\nc0009000 t $a\n");
	assert_int_equal(symbols_read(symbols, path, &err), 0);
	assert_string_equal(symbols_find(symbols, 0xc0008900, &offset), "first");
	assert_int_equal(offset, 0x900);
	assert_string_equal(symbols_find(symbols, 0xc0009000, &offset), "second");
	assert_string_equal(symbols_find(symbols, 0xbf000004, &offset), "mod");
	assert_null(symbols_find(symbols, 0xbe000000, &offset));
	assert_null(symbols_find(symbols, 0xd0000000, &offset));
	symbols_free(symbols);
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		symbols = symbols_new();
		write_file(path, bad[n]);
		assert_int_equal(symbols_read(symbols, path, &err), -1);
		assert_non_null(strstr(err.text, path));
		symbols_free(symbols);
	}
	(void)unlink(path);
	symbols = symbols_new();
	assert_int_equal(symbols_read(symbols, path, &err), -1);
	symbols_free(symbols);
	assert_null(trace_new("/nonexistent/file", 1, NULL, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale_line),  cmocka_unit_test(test_memory),
		cmocka_unit_test(test_overwritten), cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_fetch),       cmocka_unit_test(test_dma),
		cmocka_unit_test(test_limit),       cmocka_unit_test(test_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
