#include "common/logline.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *log_program = "cohort";
static enum log_level log_max = LOG_LEVEL_INFO;

void log_open(const char *program, enum log_level level)
{
	log_program = program;
	log_max = level;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[2048];
	int head, body;
	size_t len;
	va_list ap;

	if (level > log_max)
		return;
	head = snprintf(line, sizeof(line), "<%d>%s: ", (int)level, log_program);
	va_start(ap, fmt);
	body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	va_end(ap);
	len = (size_t)head + (body > 0 ? (size_t)body : 0);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	/* A text that came from a board must not forge a second log line. */
	for (size_t i = (size_t)head; i < len; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	line[len++] = '\n';
	(void)!write(STDERR_FILENO, line, len);
}
