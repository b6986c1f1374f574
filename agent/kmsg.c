#include "agent/kmsg.h"

#include "common/cacheclass.h"
#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RECORD_MAX    16384  /* a record and its properties: the kernel's own bound is 8 KiB */
#define EARLY_BOOT_US 100000 /* the cache line is printed before the clock runs: stamp 0 */
#define DRAIN_RECORDS 20000  /* a kernel that logs faster than it is read must not hold the agent */

struct kmsg {
	int fd; /* owned, or -1 */
	bool mark;
	void (*fn)(void *arg, enum kwarn_kind kind, const char *text);
	void *arg;
	struct kwarn warn;
};

/* Digits, then one of the characters in stop. */
static bool number(const char **p, const char *end, const char *stop, uint64_t *out)
{
	const char *at = *p;

	*out = 0;
	while (at < end && *at >= '0' && *at <= '9' && *out < UINT64_MAX / 16)
		*out = *out * 10 + (uint64_t)(*at++ - '0');
	if (at == *p || at >= end || !strchr(stop, *at) || *at == '\0')
		return false;
	*p = at + 1;
	return true;
}

bool kmsg_parse(const char *record, size_t len, struct kmsg_record *out)
{
	const char *p = record, *end = record + len, *text, *nl;
	uint64_t prio, stamp;

	if (!number(&p, end, ",", &prio) || !number(&p, end, ",", &out->seq) ||
	    !number(&p, end, ",;", &stamp))
		return false;
	/* More fields may stand before the ";" in later kernels. */
	text = memchr(p - 1, ';', (size_t)(end - p) + 1);
	if (!text)
		return false;
	text++;
	nl = memchr(text, '\n', (size_t)(end - text));
	out->level = (unsigned)(prio & 7);
	out->facility = (unsigned)(prio >> 3);
	out->stamp_us = (int64_t)stamp;
	out->text = text;
	out->len = (size_t)((nl ? nl : end) - text);
	return true;
}

static void complain(void *arg, enum kwarn_kind kind, const char *text, size_t len)
{
	struct kmsg *k = arg;
	char clean[KWARN_TEXT + 1];
	size_t used;

	(void)utf8_clean(text, len, clean, sizeof(clean), &used);
	k->fn(k->arg, kind, clean);
}

struct kmsg *kmsg_open(void (*fn)(void *arg, enum kwarn_kind kind, const char *text), void *arg)
{
	struct kmsg *k = xcalloc(1, sizeof(*k));

	k->fn = fn;
	k->arg = arg;
	kwarn_init(&k->warn, complain, k);
	k->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (k->fd >= 0)
		(void)lseek(k->fd, 0, SEEK_END);
	k->mark = getenv("COHORT_NO_KMSG") == NULL;
	return k;
}

void kmsg_close(struct kmsg *k)
{
	scoped_close(&k->fd);
	free(k);
}

int kmsg_fd(const struct kmsg *k)
{
	return k->fd;
}

/* The next record; EPIPE says that the ring turned over and some were lost. */
static ssize_t next_record(int fd, char *record, size_t room)
{
	ssize_t n;

	do
		n = read(fd, record, room - 1);
	while (n < 0 && (errno == EPIPE || errno == EINTR));
	if (n >= 0)
		record[n] = '\0';
	return n;
}

static void take_record(struct kmsg *k, char *record, size_t len)
{
	struct kmsg_record rec;
	char *text;

	/* What programs write there is no kernel's word; our own marks come this way too. */
	if (!kmsg_parse(record, len, &rec) || rec.facility != 0)
		return;
	text = record + (rec.text - record);
	text[rec.len] = '\0';
	kwarn_line(&k->warn, text);
}

void kmsg_drain(struct kmsg *k)
{
	char record[RECORD_MAX];

	for (unsigned i = 0; k->fd >= 0 && i < DRAIN_RECORDS; i++) {
		ssize_t n = next_record(k->fd, record, sizeof(record));

		if (n < 0 && errno != EAGAIN && errno != EINVAL) {
			(void)close(k->fd);
			k->fd = -1;
		}
		if (n <= 0)
			return;
		take_record(k, record, (size_t)n);
	}
}

bool kmsg_busy(const struct kmsg *k)
{
	return kwarn_open(&k->warn);
}

void kmsg_flush(struct kmsg *k)
{
	kwarn_flush(&k->warn);
}

/* The kernel takes ten lines in five seconds from one open file and drops the rest; hence a new one each time. */
void kmsg_mark(const struct kmsg *k, const char *fmt, ...)
{
	SCOPED_FD fd = k->mark ? open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	char line[256];
	va_list ap;
	int n;

	if (fd < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		(void)!write(fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

char *kmsg_cache_line(void)
{
	SCOPED_FD fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[RECORD_MAX];
	struct kmsg_record rec = {0};
	ssize_t n;

	while (fd >= 0 && (n = next_record(fd, record, sizeof(record))) > 0) {
		if (!kmsg_parse(record, (size_t)n, &rec) || rec.facility != 0)
			continue;
		if (rec.stamp_us > EARLY_BOOT_US)
			break;
		record[rec.text - record + (ptrdiff_t)rec.len] = '\0';
		if (cache_class_of_boot_line(rec.text, NULL) != CACHE_UNKNOWN)
			return xstrdup(rec.text);
	}
	return NULL;
}
