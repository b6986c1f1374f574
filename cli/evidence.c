#include "cli/evidence.h"

#include "cli/fields.h"
#include "cli/term.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <ctype.h>
#include <stdbool.h>

#define HALVES 256 /* 16-byte half-lines of a page; bit 255 of the map is the first */

static void print_safe(const char *indent, const char *text)
{
	SCOPED_STR copy = term_safe(xstrdup(text), true);
	const char *line = copy;

	while (*line) {
		size_t len = strcspn(line, "\n");

		(void)printf("%s%.*s\n", indent, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* The map of a record: bad[i] for half-line i. Returns how many are bad, or -1 when there is no map. */
static int read_map(const json_t *record, bool bad[HALVES])
{
	const char *map = field_text(record, "halfline_bitmap");
	int count = 0;

	if (strlen(map) != HALVES / 4 || strspn(map, "0123456789abcdefABCDEF") != HALVES / 4)
		return -1;
	for (int i = 0; i < HALVES; i++) {
		char digit[2] = {map[i / 4], '\0'};

		bad[i] = ((strtoul(digit, NULL, 16) >> (3 - i % 4)) & 1) != 0;
		count += bad[i];
	}
	return count;
}

/* Sixteen half-lines a row; rows without a bad one are left out. */
static void print_map(const bool bad[HALVES])
{
	(void)printf("    offset  half-lines of 16 bytes, # is wrong\n");
	for (int row = 0; row < HALVES; row += 16) {
		char cells[17] = "................";
		bool any = false;

		for (int i = 0; i < 16; i++) {
			if (bad[row + i])
				cells[i] = '#';
			any = any || bad[row + i];
		}
		if (any)
			(void)printf("    0x%03x   %s\n", (unsigned)row * 16, cells);
	}
}

/* Up to 32 bytes in hex, sixteen a line; a byte that differs from other's is marked. */
static void print_bytes(const char *what, const char *hex, const char *other)
{
	size_t len = strspn(hex, "0123456789abcdefABCDEF") / 2;

	for (size_t at = 0; at < len && at < 32; at += 16) {
		(void)printf("    %-9s", at == 0 ? what : "");
		for (size_t i = at; i < len && i < at + 16; i++) {
			bool differs = strlen(other) >= 2 * i + 2 &&
			               memcmp(hex + 2 * i, other + 2 * i, 2) != 0;

			(void)printf("%c%.2s", differs ? '*' : ' ', hex + 2 * i);
		}
		(void)putchar('\n');
	}
}

static void print_tags(const json_t *record)
{
	json_t *tags = json_object_get(record, "tags"), *count;
	const char *tag;

	(void)printf("    blocks:");
	json_object_foreach(tags, tag, count)
	{
		if (json_integer_value(count) > 0)
			(void)printf(" %lld %.16s", (long long)json_integer_value(count),
			             isalpha((unsigned char)*tag) ? tag : "?");
	}
	(void)putchar('\n');
}

static void print_mismatch(const json_t *record)
{
	const char *expected = field_text(record, "expected"),
		   *actual = field_text(record, "actual");
	SCOPED_STR head = xasprintf("%s, views %s, va %s, pfn %lld, iteration %lld",
	                            field_text(record, "class"), field_text(record, "signature"),
	                            field_text(record, "va"), field_int(record, "pfn"),
	                            field_int(record, "iteration"));
	bool bad[HALVES];
	int count = read_map(record, bad);

	(void)printf("\n  mismatch: ");
	print_safe("", head);
	if (count >= 0) {
		(void)printf("    %d of %d half-lines wrong, first at offset %lld\n", count, HALVES,
		             field_int(record, "offset"));
		print_map(bad);
	}
	print_tags(record);
	print_bytes("expected", expected, actual);
	print_bytes("actual", actual, expected);
}

void evidence_print(const json_t *result)
{
	SCOPED_STR head = xasprintf(
		"result %lld: %s %s %s %s\nrun %lld, job %lld, on %s (%s, %s), attempt %lld\n%lld of %lld trials bad %s",
		field_int(result, "id"), field_text(result, "verdict"), field_text(result, "test"),
		field_text(result, "cell"), field_text(result, "class"), field_int(result, "run"),
		field_int(result, "job"), field_text(result, "board"), field_text(result, "cache"),
		field_text(result, "kind"), field_int(result, "attempt"), field_int(result, "bad"),
		field_int(result, "trials"), field_text(result, "detail"));
	json_t *record;
	size_t i;

	print_safe("", head);
	json_array_foreach(json_object_get(result, "evidence"), i, record)
	{
		const char *type = field_text(record, "type");

		if (strcmp(type, "mismatch") == 0) {
			print_mismatch(record);
		} else if (strcmp(type, "kernel-warning") == 0) {
			(void)printf("\n  kernel:\n");
			print_safe("    ", field_text(record, "text"));
		}
	}
	if (*field_text(result, "log_excerpt")) {
		(void)printf("\n  log:\n");
		print_safe("    ", field_text(result, "log_excerpt"));
	}
}

bool evidence_print_line(const json_t *result, const char *heading)
{
	json_t *record;
	size_t i;

	json_array_foreach(json_object_get(result, "evidence"), i, record)
	{
		bool bad[HALVES];
		int count = read_map(record, bad);
		SCOPED_STR line = NULL;

		if (count < 0)
			continue;
		line = xasprintf(
			"%s on %s, %s: %d of %d half-lines %s, first at offset %lld (cohort results %lld)",
			field_text(result, "test"), field_text(result, "board"),
			field_text(record, "cell"), count, HALVES, field_text(record, "class"),
			field_int(record, "offset"), field_int(result, "id"));
		if (heading)
			(void)printf("\n%s\n", heading);
		print_safe("  ", line);
		return true;
	}
	return false;
}
