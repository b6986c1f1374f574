#include "common/err.h"

#include "common/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Part of it may come from a board, and what is cut to fit may end inside a character: JSON takes neither. */
static void clean(struct err *err)
{
	const char *end = err->text + strlen(err->text);

	for (char *p = err->text; p < end;) {
		size_t n = utf8_length(p, (size_t)(end - p));

		if (n == 0)
			*p = '?';
		p += n ? n : 1;
	}
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	err->kind = kind;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	clean(err);
	return -1;
}

int err_errno(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	int saved = errno;
	size_t len;
	va_list ap;

	if (!err)
		return -1;
	err->kind = saved == ENOSPC || saved == EDQUOT ? ERR_NOSPACE : kind;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(saved));
	clean(err);
	errno = saved;
	return -1;
}

int err_context(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	size_t len;
	va_list ap;

	if (!err)
		return -1;
	(void)memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
	clean(err);
	return -1;
}
