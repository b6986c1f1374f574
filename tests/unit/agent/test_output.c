#include "agent/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	char *all; /* "T:text|" and "R:record|" in order */
	size_t len, room, events, longest;
};

static void add(struct seen *seen, const char *kind, const char *text, size_t len)
{
	assert_true(seen->len + len + 4 < seen->room);
	seen->len += (size_t)snprintf(seen->all + seen->len, seen->room - seen->len, "%s:%.*s|",
	                              kind, (int)len, text);
	seen->events++;
	if (len > seen->longest)
		seen->longest = len;
}

static void on_text(void *arg, const char *text, size_t len)
{
	add(arg, "T", text, len);
}

static void on_record(void *arg, const char *line, size_t len, json_t *record)
{
	assert_true(json_is_object(record));
	add(arg, "R", line, len);
}

/* Feed in pieces; the caller frees what comes back. */
static struct seen feed(const char *data, size_t len, size_t piece, bool records, uint64_t *dropped)
{
	struct seen seen = {.room = 1 << 20};
	struct output_sink sink = {on_text, on_record, NULL, &seen};
	struct output *o = malloc(sizeof(*o));

	seen.all = calloc(1, seen.room);
	output_init(o, &sink, records);
	for (size_t at = 0; at < len; at += piece)
		output_feed(o, data + at, len - at < piece ? len - at : piece);
	output_end(o);
	*dropped = o->dropped;
	free(o);
	return seen;
}

static void expect(const char *data, bool records, const char *want)
{
	uint64_t dropped;
	struct seen seen = feed(data, strlen(data), 1 << 20, records, &dropped);

	assert_string_equal(seen.all, want);
	assert_int_equal(dropped, 0);
	free(seen.all);
}

static void lines_that_arrive_together_travel_together(void **state)
{
	(void)state;
	expect("one\ntwo\n\nthree", true, "T:one\ntwo\n|T:three|");
	expect("\n", true, "T:|");
	expect("a\r\nb\r\n", true, "T:a\nb|");
	expect("", true, "");
}

static void records_stand_alone_and_in_order(void **state)
{
	(void)state;
	expect("before\n{\"type\":\"value\",\"name\":\"x\"}\nafter\n", true,
	       "T:before|R:{\"type\":\"value\",\"name\":\"x\"}|T:after|");
	/* Not known, not JSON, not an object, not alone in the line: text. */
	expect("{\"type\":\"gossip\"}\n", true, "T:{\"type\":\"gossip\"}|");
	expect("{\"type\":\"value\",}\n", true, "T:{\"type\":\"value\",}|");
	expect("[\"type\"]\n", true, "T:[\"type\"]|");
	expect(" {\"type\":\"value\"}\n", true, "T: {\"type\":\"value\"}|");
	expect("{\"type\":7}\n", true, "T:{\"type\":7}|");
	/* Standard error has no records. */
	expect("{\"type\":\"value\"}\n", false, "T:{\"type\":\"value\"}|");
}

/* However the stream is cut, records and the text are the same; only the events' bounds differ. */
static void any_cut_gives_the_same_records(void **state)
{
	static const char data[] = "x\n{\"type\":\"env\",\"a\":\"b\"}\ny\n{\"type\":\"result\"}\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(data); piece++) {
		uint64_t dropped;
		struct seen seen = feed(data, sizeof(data) - 1, piece, true, &dropped);

		assert_string_equal(
			seen.all,
			"T:x|R:{\"type\":\"env\",\"a\":\"b\"}|T:y|R:{\"type\":\"result\"}|");
		free(seen.all);
	}
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
	static const char data[] = "a\xff\0b\xc3\xa9\xe2\x82\n";
	uint64_t dropped;
	struct seen seen = feed(data, sizeof(data) - 1, 3, true, &dropped);

	(void)state;
	assert_string_equal(seen.all, "T:a\xef\xbf\xbd\xef\xbf\xbd"
	                              "b\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd|");
	free(seen.all);
}

static void a_long_line_is_cut_counted_and_split(void **state)
{
	size_t len = OUTPUT_LINE + 1000;
	char *line = malloc(len + 1);
	uint64_t dropped;
	struct seen seen;

	(void)state;
	/* Three bytes of UTF-8 for each byte that comes: the bound is on what goes out. */
	(void)memset(line, 0xff, len);
	line[len] = '\n';
	seen = feed(line, len + 1, 777, true, &dropped);
	assert_int_equal(dropped, 1000);
	assert_true(seen.longest <= OUTPUT_TEXT);
	assert_int_equal(seen.len - 3 * seen.events, 3 * OUTPUT_LINE);
	free(seen.all);
	free(line);
}

static void many_short_lines_make_few_events(void **state)
{
	char data[65536];
	uint64_t dropped;
	struct seen seen;

	(void)state;
	(void)memset(data, '\n', sizeof(data));
	seen = feed(data, sizeof(data), sizeof(data), true, &dropped);
	assert_true(seen.events <= sizeof(data) / OUTPUT_TEXT + 1);
	free(seen.all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_arrive_together_travel_together),
		cmocka_unit_test(records_stand_alone_and_in_order),
		cmocka_unit_test(any_cut_gives_the_same_records),
		cmocka_unit_test(bytes_that_are_no_text_are_replaced),
		cmocka_unit_test(a_long_line_is_cut_counted_and_split),
		cmocka_unit_test(many_short_lines_make_few_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
