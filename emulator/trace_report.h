/* trace_report.h - what the trace found, each pair of reader and writer once, as JSON lines. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;
struct report; /* opaque: report_new(), report_free() */
struct symbols;

enum who { WHO_NOBODY, WHO_USER, WHO_KERNEL, WHO_DEVICE };

/* Somebody's access: the last store to a word, for example. Sixteen bytes, for there are many. */
struct deed {
	uint32_t pc; /* WHO_DEVICE: report_device() */
	uint32_t va;
	uint64_t when : 56; /* instructions since reset */
	uint64_t who : 8;   /* enum who; WHO_NOBODY: as loaded */
};

enum what { WHAT_LOAD, WHAT_FETCH, WHAT_DMA, WHAT_OVERWRITTEN };

enum place { PLACE_MEMORY, PLACE_D_LINE, PLACE_I_LINE, PLACE_NOWHERE };

struct event {
	enum what what;
	struct deed by;     /* who read; for WHAT_OVERWRITTEN, who stored to the line last */
	struct deed writer; /* of the newest bytes */
	uint32_t pa, bytes;
	uint32_t got,
		newest;  /* bytes that were read or written back, and those that they should be */
	enum place from; /* of what was read */
	enum place newest_in; /* where the newest bytes are */
	uint32_t
		newest_at; /* PLACE_D_LINE: virtual address of the line, or its bits that are known */
	struct deed
		cause; /* PLACE_NOWHERE: who threw them away; WHAT_OVERWRITTEN: whose access wrote back */
};

/* As trace_new(). */
struct report *report_new(const char *path, uint32_t limit, struct symbols *symbols,
                          struct err *err);
void report_free(struct report *report);

/* A number for a device's name, to be a deed's pc. */
uint32_t report_device(struct report *report, const char *name);

/* Count an event, of which what, by and writer are set. Whether it is the first of its kind and there
 * is room for it: then report_write() it. */
bool report_count(struct report *report, const struct event *event);
void report_write(struct report *report, const struct event *event);

/* As trace_finish(). */
int report_finish(struct report *report, struct err *err);
