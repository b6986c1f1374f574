/* zone.h - local time in an IANA zone, from the system's tzdata (RFC 8536 files and the rule in their footer).
 *
 * The process's own TZ plays no part, so threads may use any number of zones. libical 3.0.16, which has zones too, is
 * wrong behind 2037, where tables end and the footer counts. Seconds since 1970, UTC, unless said. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct err;
struct zone; /* opaque; not changed after it was made: threads may share it */

#define ZONE_DIR "/usr/share/zoneinfo"

/* The zone of that name ("Europe/Berlin") below dir. NULL with *err: ERR_INVALID when it is no name of a zone,
 * ERR_NOTFOUND when there is none, ERR_PROTOCOL when the file is broken. The caller frees it. */
struct zone *zone_load(const char *dir, const char *name, struct err *err);
void zone_free(struct zone *zone); /* zone may be NULL */

/* The zone of that name below the environment's TZDIR, or ZONE_DIR, read once and kept: an update of tzdata is seen by the next process. Shared, not the
 * caller's. NULL with *err as above. Any thread. */
const struct zone *zone_named(const char *name, struct err *err);

/* The same from the bytes of a file. */
struct zone *zone_parse(const void *data, size_t len, struct err *err);

/* The time around t in which the offset does not change: [from, until). */
struct zone_span {
	int64_t from, until;    /* INT64_MIN, INT64_MAX: for ever */
	int64_t offset, before; /* local time minus UTC in it, and right before it */
};
struct zone_span zone_span_at(const struct zone *zone, int64_t t);

/* "2026-10-25 02:30 +0200" of wall microseconds. */
void zone_format(const struct zone *zone, int64_t wall_us, char out[32]);
