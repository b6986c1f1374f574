#include "common/lines.h"

#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

void lines_init(struct lines *l, size_t cap)
{
	*l = (struct lines){.cap = cap};
}

void lines_release(struct lines *l)
{
	free(l->buf);
	l->buf = NULL;
}

/* Keep len bytes of an unfinished line, or start skipping when it passes the bound. */
static void lines_keep(struct lines *l, const char *data, size_t len)
{
	if (l->skipping)
		return;
	if (l->have + len > l->cap) {
		l->skipping = 1;
		l->have = 0;
		l->dropped++;
		return;
	}
	l->buf = xrealloc(l->buf, l->have + len + 1);
	(void)memcpy(l->buf + l->have, data, len);
	l->have += len;
}

int lines_feed(struct lines *l, uint64_t at, const char *data, size_t len, lines_fn *fn, void *arg)
{
	while (len > 0) {
		const char *nl = memchr(data, '\n', len);
		size_t part = nl ? (size_t)(nl - data) : len;
		int skipped;

		lines_keep(l, data, part);
		if (!nl)
			return 0;
		at += part + 1;
		data += part + 1;
		len -= part + 1;
		skipped = l->skipping;
		l->skipping = 0;
		if (!skipped) {
			size_t have = l->have;

			l->have = 0;
			if (!l->buf)
				l->buf = xcalloc(1, 1);
			l->buf[have] = '\0';
			if (fn(arg, l->buf, have, at) < 0)
				return -1;
		}
	}
	return 0;
}
