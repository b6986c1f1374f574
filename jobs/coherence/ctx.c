#include "ctx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS_TRIED 8U

uint8_t *ctx_page(struct ctx *ctx)
{
	void *slots = slots_reserve(1);
	void *page = MAP_FAILED;

	if (slots != NULL)
		page = mmap(slot_at(slots, 0, 0), PAGE_BYTES, PROT_READ | PROT_WRITE,
		            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (page == MAP_FAILED) {
		(void)ctx_error(ctx, "memory for buffers");
		return NULL;
	}
	memset(page, 0, PAGE_BYTES);
	return page;
}

/* Direct reads go into the buffer. On aliasing VIPT a flush that is missing there shows only where the two colours of the
 * page differ, which must not be a matter of luck. */
static uint8_t *buffer_page(struct ctx *ctx)
{
	uint8_t *page = ctx_page(ctx);

	for (unsigned int i = 0; page != NULL && i < BUFFERS_TRIED; i++) {
		uint64_t frame = page_frame(page);

		if (ctx->class_bits != CLASS_VIPT_ALIASING || frame == 0 ||
		    ((frame ^ colour_of(page)) & COLOUR_MASK) != 0)
			break;
		page = ctx_page(ctx);
	}
	return page;
}

static int prepare_machine(struct ctx *ctx)
{
	if (ctx->class_bits == CLASS_VIPT_ALIASING)
		return machine_init(EVICT_BYTES_LARGE, SETTLE_BYTES_LARGE, &ctx->quiet);
	if (ctx->class_bits == CLASS_VIVT)
		return machine_init(EVICT_BYTES, SETTLE_BYTES_VIVT, &ctx->quiet);
	return machine_init(EVICT_BYTES, SETTLE_BYTES, &ctx->quiet);
}

int ctx_init(struct ctx *ctx)
{
	if (sysconf(_SC_PAGESIZE) != (long)PAGE_BYTES)
		return ctx_skip(ctx, REASON_NOT_APPLICABLE, "pages are not 4 KiB");
	if (prepare_machine(ctx) < 0)
		return ctx_error(ctx, "preparing the processor");
	ctx->self_mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (ctx->self_mem < 0)
		return ctx_error(ctx, "/proc/self/mem");
	ctx->buffer = buffer_page(ctx);
	ctx->source = ctx_page(ctx);
	return ctx->buffer == NULL || ctx->source == NULL ? -1 : 0;
}

uint16_t ctx_generation(struct ctx *ctx)
{
	if (++ctx->generation >= GENERATION_FIXED)
		ctx->generation = 1;
	return ctx->generation;
}

struct stamp ctx_stamp(const struct ctx *ctx, enum writer writer, uint16_t generation,
                       unsigned int page)
{
	return (struct stamp){.generation = generation,
	                      .page = (uint16_t)page,
	                      .nonce = ctx->nonce,
	                      .writer = (uint8_t)writer};
}

__attribute__((format(printf, 4, 0))) static void
stop(struct ctx *ctx, enum verdict verdict, enum reason reason, const char *format, va_list args)
{
	struct report *report = ctx->report;

	if (report->stop != VERDICT_PASS)
		return;
	(void)vsnprintf(report->detail, sizeof(report->detail), format, args);
	report->stop_reason = reason;
	report->stop = verdict;
}

int ctx_skip(struct ctx *ctx, enum reason reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	stop(ctx, VERDICT_SKIP, reason, format, args);
	va_end(args);
	return -1;
}

int ctx_error(struct ctx *ctx, const char *format, ...)
{
	int error = errno;
	char text[DETAIL_MAX];
	va_list args;

	if (ctx->report->stop != VERDICT_PASS)
		return -1;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (error != 0)
		(void)snprintf(ctx->report->detail, DETAIL_MAX, "%.160s: %.60s", text,
		               strerror(error));
	else
		(void)snprintf(ctx->report->detail, DETAIL_MAX, "%s", text);
	ctx->report->stop_reason = REASON_ERRNO;
	ctx->report->stop = VERDICT_ERROR;
	return -1;
}

int ctx_whole(struct ctx *ctx, ssize_t done, size_t bytes, const char *what)
{
	if (done >= 0 && (size_t)done == bytes)
		return 0;
	if (done >= 0)
		errno = EIO;
	return ctx_error(ctx, "%s", what);
}

void ctx_note(struct ctx *ctx, const char *format, ...)
{
	struct report *report = ctx->report;
	size_t length = strlen(report->detail);
	va_list args;

	if (report->stop != VERDICT_PASS)
		return;
	if (length > 0 && length + 3 < DETAIL_MAX) {
		memcpy(report->detail + length, "; ", 3);
		length += 2;
	}
	va_start(args, format);
	(void)vsnprintf(report->detail + length, DETAIL_MAX - length, format, args);
	va_end(args);
}

void ctx_skip_cell(struct ctx *ctx, unsigned int cell, enum reason reason)
{
	ctx->report->cells[cell].skip = reason;
}

void ctx_skip_variant(struct ctx *ctx, unsigned int variant, enum reason reason)
{
	for (unsigned int cell = 0; cell < ctx->report->cell_count; cell++) {
		if (test_cell(ctx->test, cell).variant == variant)
			ctx_skip_cell(ctx, cell, reason);
	}
}

enum reason ctx_reason(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return REASON_NOPERM;
	case ENOSYS:
		return REASON_NOSYS;
	case ENODEV:
	case ENXIO:
	case ENOENT:
		return REASON_NOCONFIG;
	case ENOMEM:
	case ENOSPC:
		return REASON_NO_MEMORY;
	default:
		return REASON_NONE;
	}
}

int ctx_cannot(struct ctx *ctx, const char *what)
{
	int error = errno;
	enum reason reason = ctx_reason(error);

	if (reason == REASON_NONE)
		return ctx_error(ctx, "%s", what);
	return ctx_skip(ctx, reason, "%s: %s", what, strerror(error));
}
