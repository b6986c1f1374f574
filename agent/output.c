#include "agent/output.h"

#include "agent/record.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/utf8.h"

#include <string.h>

void output_init(struct output *o, const struct output_sink *sink, bool records)
{
	o->sink = sink;
	o->records = records;
	o->pending = false;
	o->have = 0;
	o->text_len = 0;
	o->dropped = 0;
}

static void flush_text(struct output *o)
{
	if (!o->pending)
		return;
	o->sink->text(o->sink->arg, o->text, o->text_len);
	o->pending = false;
	o->text_len = 0;
}

/* Add a line to the pending text; one that does not fit whole begins a new event, and a long one fills several. */
static void add_text(struct output *o, const char *line, size_t len)
{
	if (o->pending && o->text_len + 1 + len > OUTPUT_TEXT)
		flush_text(o);
	if (o->pending)
		o->text[o->text_len++] = '\n';
	for (;;) {
		size_t used = 0;

		o->text_len += utf8_clean(line, len, o->text + o->text_len,
		                          sizeof(o->text) - o->text_len, &used);
		o->pending = true;
		line += used;
		len -= used;
		if (len == 0)
			return;
		flush_text(o);
	}
}

static bool add_record(struct output *o, const char *line, size_t len)
{
	SCOPED_JSON object = NULL;

	if (!o->records || len < 2 || line[0] != '{' || line[len - 1] != '}')
		return false;
	object = jx_parse(line, len, OUTPUT_LINE, NULL);
	if (!record_known(object))
		return false;
	flush_text(o);
	o->sink->record(o->sink->arg, line, len, object);
	return true;
}

static void end_line(struct output *o)
{
	size_t len = o->have;

	o->have = 0;
	if (len > 0 && o->line[len - 1] == '\r')
		len--;
	if (add_record(o, o->line, len))
		return;
	if (o->sink->line)
		o->sink->line(o->sink->arg, o->line, len);
	add_text(o, o->line, len);
}

static void keep(struct output *o, const char *data, size_t len)
{
	size_t room = OUTPUT_LINE - o->have;
	size_t n = len < room ? len : room;

	(void)memcpy(o->line + o->have, data, n);
	o->have += n;
	o->dropped += len - n;
}

void output_feed(struct output *o, const char *data, size_t len)
{
	while (len > 0) {
		const char *nl = memchr(data, '\n', len);
		size_t part = nl ? (size_t)(nl - data) : len;

		keep(o, data, part);
		if (!nl)
			break;
		end_line(o);
		data += part + 1;
		len -= part + 1;
	}
	flush_text(o);
}

void output_end(struct output *o)
{
	if (o->have > 0)
		end_line(o);
	flush_text(o);
}
