#include "agent/events.h"

#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int events_open(struct events *ev, const char *path)
{
	*ev = (struct events){.bell = -1};
	ev->journal = journal_open(path, &ev->err);
	ev->failed = ev->journal == NULL;
	return ev->failed ? -1 : 0;
}

void events_close(struct events *ev)
{
	journal_close(ev->journal);
	ev->journal = NULL;
	scoped_close(&ev->bell);
	ev->bell = -1;
}

/* A full pipe needs no further byte to wake its reader; a reader that is gone needs none any more. */
static void ring(struct events *ev)
{
	if (ev->bell < 0 || write(ev->bell, "\n", 1) == 1 || errno == EAGAIN)
		return;
	(void)close(ev->bell);
	ev->bell = -1;
}

/* "ev" comes first in each line: a follower knows the last line by its first bytes. */
void events_put(struct events *ev, const char *name, json_t *fields)
{
	SCOPED_JSON event = json_pack("{s:s, s:I}", "ev", name, "t", (json_int_t)time_boot_us());

	(void)json_object_update(event, fields);
	json_decref(fields);
	if (!ev->failed && journal_append(ev->journal, event, &ev->err) < 0)
		ev->failed = true;
	ring(ev);
}

void events_put_record(struct events *ev, int64_t id, const char *object, size_t len)
{
	SCOPED_STR line = xasprintf("{\"ev\":\"test-record\",\"t\":%" PRId64 ",\"id\":%" PRId64
	                            ",\"record\":%.*s}",
	                            time_boot_us(), id, (int)len, object);

	if (!ev->failed && journal_append_text(ev->journal, line, strlen(line), &ev->err) < 0)
		ev->failed = true;
	ring(ev);
}

void events_sync(struct events *ev)
{
	if (!ev->failed && journal_sync(ev->journal, &ev->err) < 0)
		ev->failed = true;
}
