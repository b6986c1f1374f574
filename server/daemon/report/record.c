#include "server/daemon/report/record.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/report/fields.h"
#include "server/daemon/report/page.h"

#include <string.h>

#define LOG_LINES    3
#define KERNEL_LINES 2
#define STAMP        27 /* bytes of "2026-11-22T14:32:00.123456Z" */
#define HALVES       256

static bool has_text(const json_t *result)
{
	const char *log = field_text(result, "log_excerpt");

	return log[strspn(log, " \n")] != '\0';
}

static json_t *record_of(const json_t *result, const char *type)
{
	json_t *record;
	size_t i;

	json_array_foreach(json_object_get(result, "evidence"), i, record)
	{
		if (field_is(record, "type", type))
			return record;
	}
	return NULL;
}

bool record_there(const json_t *result)
{
	return record_of(result, "mismatch") || record_of(result, "kernel-warning") ||
	       has_text(result);
}

static int bits_of(const char *hex)
{
	int count = 0;

	for (; *hex; hex++) {
		const char digit[2] = {*hex, '\0'};

		count += __builtin_popcountl(strtoul(digit, NULL, 16));
	}
	return count;
}

static void mismatch_line(struct page *page, const json_t *record)
{
	const char *map = field_text(record, "halfline_bitmap");

	if (*map)
		page_wrap(page, 3, 2, "   %d of %d half-lines %s, first at offset %lld, views %s",
		          bits_of(map), HALVES, field_text(record, "class"),
		          (long long)field_int(record, "offset"), field_text(record, "signature"));
	else
		page_wrap(page, 3, 2, "   mismatch: %s, offset %lld", field_text(record, "class"),
		          (long long)field_int(record, "offset"));
}

/* The first lines of text. */
static void first_lines(struct page *page, const char *text, size_t lines)
{
	for (; *text && lines > 0; lines--) {
		size_t len = strcspn(text, "\n");

		page_line(page, "   | %.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* The last lines of a log, without the time of each. */
static void last_lines(struct page *page, const char *text, size_t lines)
{
	size_t at = strlen(text), count = 0;

	while (at > 0 && text[at - 1] == '\n')
		at--;
	while (at > 0 && (text[at - 1] != '\n' || ++count < lines))
		at--;
	while (text[at]) {
		size_t len = strcspn(text + at, "\n");
		size_t skip = len > STAMP && text[at + 4] == '-' && text[at + STAMP - 1] == 'Z'
		                      ? STAMP + 1
		                      : 0;

		if (len > skip)
			page_line(page, "   | %.*s", (int)(len - skip), text + at + skip);
		at += len + (text[at + len] == '\n');
	}
}

void record_lines(struct page *page, const json_t *result)
{
	const json_t *mismatch = record_of(result, "mismatch");
	const json_t *kernel = record_of(result, "kernel-warning");

	if (mismatch)
		mismatch_line(page, mismatch);
	if (kernel)
		first_lines(page, field_text(kernel, "text"), KERNEL_LINES);
	last_lines(page, field_text(result, "log_excerpt"),
	           kernel ? LOG_LINES - KERNEL_LINES : LOG_LINES);
}
