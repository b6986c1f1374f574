#include "server/daemon/series/complain.h"

#include "common/jx.h"
#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"

#include <stdarg.h>

#define TEXT_MAX 80

void complain_at(const struct complain *c, size_t line, const char *fmt, ...)
{
	SCOPED_STR text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = xstrdup("out of memory");
	va_end(args);
	if (line)
		jx_complain(c->errors, c->pointer, "%s, line %zu of its text: %s", c->what, line,
		            text);
	else
		jx_complain(c->errors, c->pointer, "%s: %s", c->what, text);
}

char *complain_text(const char *text, size_t len)
{
	char clean[TEXT_MAX * 3 + 4];
	size_t used;

	(void)utf8_clean(text, len < TEXT_MAX ? len : TEXT_MAX, clean, sizeof(clean), &used);
	for (char *at = clean; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return xasprintf("%s%s", clean, len > TEXT_MAX ? "..." : "");
}
