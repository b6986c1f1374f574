/* procmem-rw: /proc/PID/mem of the test itself and of a child.
 *
 * The kernel takes the page by get_user_pages, which must write the user's dirty lines and drop those of its own alias, and then
 * copies through that alias. After it wrote, its own lines must reach memory before the user looks, and of a line that the user
 * has dirty no word may be lost. */
#include "remote.h"
#include "tests.h"

#include <unistd.h>

static off_t place(const void *va)
{
	return (off_t)(uintptr_t)va;
}

static int read_mem(struct ctx *ctx, const struct remote *remote, void *va, void *buffer,
                    size_t length)
{
	return ctx_whole(ctx, pread(remote->mem, buffer, length, place(va)), length,
	                 "reading /proc/PID/mem");
}

static int write_mem(struct ctx *ctx, const struct remote *remote, void *va, const void *buffer,
                     size_t length)
{
	return ctx_whole(ctx, pwrite(remote->mem, buffer, length, place(va)), length,
	                 "writing /proc/PID/mem");
}

static int run(struct ctx *ctx)
{
	static const struct remote_ops ops = {.read = read_mem, .write = write_mem};

	return remote_run(ctx, &ops);
}

static const struct variant variants[REMOTE_VARIANTS] = {
	REMOTE_ROWS(KIND_CONTRACT),
};

const struct test test_procmem_rw = {
	.name = "procmem-rw",
	.description =
		"/proc/PID/mem reads what the process last stored, and the process sees what it writes",
	.api = "flush_anon_page and flush_dcache_page in get_user_pages; copy_to_user_page: flush_ptrace_access",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = REMOTE_VARIANTS,
	.run = run,
};
