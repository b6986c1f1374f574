#include "trace_report.h"

#include "common/err.h"
#include "common/xalloc.h"
#include "symbols.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES 8u

/* One pair of reader and writer. */
struct pair {
	uint32_t pc, writer_pc;
	uint8_t what, writer_who;
	uint64_t count; /* 0: the slot is free */
	uint32_t number;
};

struct report {
	FILE *file;
	char *path;
	struct symbols *symbols; /* borrowed; NULL: none */
	uint32_t limit, written;
	uint64_t total, not_written;
	struct pair *pairs; /* hashed, open addressing; twice as many as the limit at least */
	uint32_t slots;
	const char *devices[DEVICES];
};

struct report *report_new(const char *path, uint32_t limit, struct symbols *symbols,
                          struct err *err)
{
	FILE *file = fopen(path, "we");
	struct report *report;

	if (!file) {
		(void)err_errno(err, ERR_IO, "%s", path);
		return NULL;
	}
	(void)setvbuf(file, NULL, _IOLBF, BUFSIZ); /* what was found outlives a killed process */
	report = xcalloc(1, sizeof(*report));
	report->file = file;
	report->path = xstrdup(path);
	report->symbols = symbols;
	report->limit = limit;
	report->slots = 16;
	while (report->slots < 2 * limit)
		report->slots *= 2;
	report->pairs = xcalloc(report->slots, sizeof(*report->pairs));
	return report;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	(void)fclose(report->file);
	free(report->path);
	free(report->pairs);
	free(report);
}

uint32_t report_device(struct report *report, const char *name)
{
	uint32_t n = 0;

	while (n < DEVICES - 1 && report->devices[n] && strcmp(report->devices[n], name) != 0)
		n++;
	report->devices[n] = name;
	return n;
}

static bool is_pair(const struct pair *pair, const struct event *event)
{
	return pair->pc == event->by.pc && pair->writer_pc == event->writer.pc &&
	       pair->what == (uint8_t)event->what && pair->writer_who == event->writer.who;
}

/* The slot of this pair, or a free one. */
static struct pair *find(const struct report *report, const struct event *event)
{
	uint32_t hash = event->by.pc * 2654435761u + event->writer.pc * 40503u;
	uint32_t n = (hash ^ hash >> 15) & (report->slots - 1);

	while (report->pairs[n].count && !is_pair(&report->pairs[n], event))
		n = (n + 1) & (report->slots - 1);
	return &report->pairs[n];
}

bool report_count(struct report *report, const struct event *event)
{
	struct pair *pair = find(report, event);

	report->total++;
	if (pair->count) {
		pair->count++;
		return false;
	}
	if (report->written == report->limit) {
		report->not_written++;
		return false;
	}
	*pair = (struct pair){.pc = event->by.pc,
	                      .writer_pc = event->writer.pc,
	                      .what = (uint8_t)event->what,
	                      .writer_who = (uint8_t)event->writer.who,
	                      .count = 1,
	                      .number = ++report->written};
	return true;
}

/* Names hold nothing that JSON would have to escape: symbols_read() sees to it, and a device's is ours. */
static void print_deed(const struct report *report, const struct deed *deed, bool with_va)
{
	static const char *const modes[] = {[WHO_USER] = "user", [WHO_KERNEL] = "kernel"};
	const char *name;
	uint32_t offset;

	if (deed->who == WHO_NOBODY || deed->who == WHO_DEVICE) {
		(void)fprintf(report->file, "\"mode\":\"%s\"",
		              deed->who == WHO_NOBODY ? "loaded" : "device");
		if (deed->who == WHO_DEVICE)
			(void)fprintf(report->file, ",\"at\":\"%s\"", report->devices[deed->pc]);
	} else {
		(void)fprintf(report->file, "\"mode\":\"%s\",\"pc\":\"0x%08" PRIx32 "\"",
		              modes[deed->who], deed->pc);
		name = report->symbols ? symbols_find(report->symbols, deed->pc, &offset) : NULL;
		if (name)
			(void)fprintf(report->file, ",\"at\":\"%s+0x%" PRIx32 "\"", name, offset);
		if (with_va)
			(void)fprintf(report->file, ",\"va\":\"0x%08" PRIx32 "\",\"colour\":%u",
			              deed->va, (unsigned)(deed->va >> 12 & 3));
	}
	(void)fprintf(report->file, ",\"instruction\":%ju", (uintmax_t)deed->when);
}

static void print_place(const struct report *report, const struct event *event)
{
	static const char *const places[] = {[PLACE_MEMORY] = "memory",
	                                     [PLACE_D_LINE] = "D-line",
	                                     [PLACE_I_LINE] = "I-line",
	                                     [PLACE_NOWHERE] = "nowhere"};

	if (event->what != WHAT_OVERWRITTEN)
		(void)fprintf(report->file, ",\"from\":\"%s\",\"newest_in\":\"%s\"",
		              places[event->from], places[event->newest_in]);
	if (event->what != WHAT_OVERWRITTEN && event->newest_in == PLACE_D_LINE)
		(void)fprintf(report->file, ",\"line_va\":\"0x%08" PRIx32 "\",\"line_colour\":%u",
		              event->newest_at, (unsigned)(event->newest_at >> 12 & 3));
}

void report_write(struct report *report, const struct event *event)
{
	static const char *const names[] = {[WHAT_LOAD] = "load",
	                                    [WHAT_FETCH] = "fetch",
	                                    [WHAT_DMA] = "dma",
	                                    [WHAT_OVERWRITTEN] = "write-back"};
	FILE *file = report->file;

	(void)fprintf(file, "{\"type\":\"%s\",\"n\":%u,\"what\":\"%s\",",
	              event->what == WHAT_OVERWRITTEN ? "overwritten" : "stale", report->written,
	              names[event->what]);
	print_deed(report, &event->by, event->by.who != WHO_DEVICE);
	(void)fprintf(file,
	              ",\"pa\":\"0x%08" PRIx32 "\",\"bytes\":%" PRIu32 ",\"got\":\"0x%0*" PRIx32
	              "\",\"newest\":\"0x%0*" PRIx32 "\"",
	              event->pa, event->bytes, (int)event->bytes * 2, event->got,
	              (int)event->bytes * 2, event->newest);
	print_place(report, event);
	(void)fprintf(file, ",\"writer\":{");
	print_deed(report, &event->writer, true);
	(void)fputc('}', file);
	if (event->cause.who != WHO_NOBODY) {
		(void)fprintf(file, ",\"cause\":{");
		print_deed(report, &event->cause, true);
		(void)fputc('}', file);
	}
	(void)fprintf(file, "}\n");
}

int report_finish(struct report *report, struct err *err)
{
	for (uint32_t n = 0; n < report->slots; n++) {
		const struct pair *pair = &report->pairs[n];

		if (pair->count > 1)
			(void)fprintf(report->file,
			              "{\"type\":\"repeated\",\"n\":%u,\"count\":%ju}\n",
			              pair->number, (uintmax_t)pair->count);
	}
	(void)fprintf(report->file,
	              "{\"type\":\"end\",\"pairs\":%u,\"total\":%ju,\"not_written\":%ju}\n",
	              report->written, (uintmax_t)report->total, (uintmax_t)report->not_written);
	if (fflush(report->file) || ferror(report->file))
		return err_errno(err, ERR_IO, "%s", report->path);
	return 0;
}
