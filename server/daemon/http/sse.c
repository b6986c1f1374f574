#include "server/daemon/http/sse.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/http/metrics.h"
#include "server/daemon/http/request.h"
#include "server/daemon/store/events.h"
#include "server/daemon/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH      200
#define COMMENT_US (15 * INT64_C(1000000))
#define LOOK_MS    2000 /* how often a silent stream looks whether its client is still there */

struct sse {
	const struct http_core *core;
	int64_t job, run, after;
	int fd;           /* the connection's, borrowed: to see that the client is gone */
	char *text;       /* owned: what is to be sent */
	size_t len, sent; /* of text */
	int64_t spoke_us; /* monotonic, when something was sent last */
};

/* Text for the events behind sse->after, none when there are none; -1 when the store cannot be read. */
static int batch_read(struct sse *sse)
{
	int64_t newest = store_event_last(sse->core->ctx.store);
	struct db *db = store_read_begin(sse->core->ctx.store);
	struct err err;
	SCOPED_JSON list = events_after(db, sse->job, sse->run, sse->after, BATCH, &err);
	FILE *out = NULL;
	json_t *event;
	size_t i;

	store_read_end(sse->core->ctx.store, db);
	if (!list)
		return -1;
	if (json_array_size(list) > 0 && !(out = open_memstream(&sse->text, &sse->len)))
		abort(); /* out of memory */
	json_array_foreach(list, i, event)
	{
		SCOPED_STR data = jx_text(event);
		int64_t id = json_integer_value(json_object_get(event, "id"));

		/* Committed, but not told of yet: after_read() takes no id beyond the newest for ours. */
		if (id > newest)
			break;
		sse->after = id;
		(void)fprintf(out, "id: %" PRId64 "\nevent: %s\ndata: %s\n\n", sse->after,
		              json_string_value(json_object_get(event, "kind")), data);
	}
	if (out)
		(void)fclose(out);
	/* All up to newest were looked at: what did not fit the filter is not looked at again. */
	if (json_array_size(list) < BATCH && sse->after < newest)
		sse->after = newest;
	return 0;
}

static bool client_gone(const struct sse *sse)
{
	char byte;

	return recv(sse->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Wait for something to say: an event, or the time for a comment. -1: the stream ends. */
static int fill(struct sse *sse)
{
	free(sse->text);
	sse->text = NULL;
	sse->len = sse->sent = 0;
	for (;;) {
		if (atomic_load(&sse->core->stopping) || client_gone(sse) || batch_read(sse) < 0)
			return -1;
		if (sse->len > 0)
			break;
		if (time_mono_us() - sse->spoke_us >= COMMENT_US) {
			sse->text = xstrdup(":\n\n");
			sse->len = 3;
			break;
		}
		(void)store_event_wait(sse->core->ctx.store, sse->after, LOOK_MS);
	}
	sse->spoke_us = time_mono_us();
	return 0;
}

static ssize_t sse_next(void *arg, char *buf, size_t max)
{
	struct sse *sse = arg;
	size_t n;

	if (sse->sent == sse->len && fill(sse) < 0)
		return 0;
	n = sse->len - sse->sent < max ? sse->len - sse->sent : max;
	memcpy(buf, sse->text + sse->sent, n);
	sse->sent += n;
	return (ssize_t)n;
}

static void sse_end(void *arg)
{
	struct sse *sse = arg;

	(void)metrics_streams(sse->core->metrics, -1);
	free(sse->text);
	free(sse);
}

/* From where: Last-Event-ID outranks ?after=, because a browser repeats its first address when it comes back. */
static int after_read(struct http_req *req, int64_t *after)
{
	int64_t newest = store_event_last(req->ctx->store);
	const char *header = http_header(req, "Last-Event-ID");
	struct jx_errors errors = {0};

	*after = newest;
	if (header && *header) {
		if (strlen(header) > 18 || strspn(header, "0123456789") != strlen(header))
			return http_problem(req, 400, "Last-Event-ID: must be an event's id");
		*after = strtoll(header, NULL, 10);
	} else {
		http_query_int(req, "after", 0, INT64_MAX, after, &errors);
	}
	/* An id of another store, from before this one was made anew: waiting for it would hide all that happens. */
	if (*after > newest)
		*after = newest;
	return http_query_done(req, &errors);
}

int sse_reply(struct http_req *req, int64_t job, int64_t run)
{
	struct http_core *core = req->private->core;
	struct http_stream stream = {.next = sse_next, .end = sse_end};
	struct sse *sse;
	int64_t after;

	if (after_read(req, &after) < 0)
		return -1;
	if (metrics_streams(core->metrics, 1) > SSE_STREAMS_MAX) {
		(void)metrics_streams(core->metrics, -1);
		http_reply_header(req, "Retry-After", "5");
		return http_problem(req, 503, "%d clients follow events already", SSE_STREAMS_MAX);
	}
	sse = xcalloc(1, sizeof(*sse));
	sse->core = core;
	sse->job = job;
	sse->run = run;
	sse->after = after;
	sse->fd =
		MHD_get_connection_info(req->private->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			->connect_fd;
	/* A first comment makes the headers go out now. */
	sse->text = xstrdup(":\n\n");
	sse->len = 3;
	sse->spoke_us = time_mono_us();
	stream.arg = sse;
	return http_reply_stream(req, 200, "text/event-stream", &stream);
}
