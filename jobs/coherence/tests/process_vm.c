/* process-vm: process_vm_readv(2) and process_vm_writev(2) of the test itself and of a child.
 *
 * As procmem-rw, but the kernel copies by plain stores through its alias and flushes nothing afterwards. On a cache that
 * allocates on reads only the stores go to memory, because get_user_pages has dropped the kernel's lines; on one that allocates
 * on writes too they stay behind, and stock kernels fail the writes there. Nothing guards against that, so the writes are a
 * gap. */
#include "remote.h"
#include "tests.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

static int read_vm(struct ctx *ctx, const struct remote *remote, void *va, void *buffer,
                   size_t length)
{
	struct iovec here = {.iov_base = buffer, .iov_len = length};
	struct iovec there = {.iov_base = va, .iov_len = length};

	return ctx_whole(ctx, process_vm_readv(remote->pid, &here, 1, &there, 1, 0), length,
	                 "process_vm_readv");
}

static int write_vm(struct ctx *ctx, const struct remote *remote, void *va, const void *buffer,
                    size_t length)
{
	/* What is written comes from the source page, so that nobody casts away its const. */
	struct iovec here = {.iov_base = ctx->source + ((const uint8_t *)buffer - ctx->source),
	                     .iov_len = length};
	struct iovec there = {.iov_base = va, .iov_len = length};

	return ctx_whole(ctx, process_vm_writev(remote->pid, &here, 1, &there, 1, 0), length,
	                 "process_vm_writev");
}

static int run(struct ctx *ctx)
{
	static const struct remote_ops ops = {.read = read_vm, .write = write_vm};
	char byte;
	struct iovec one = {.iov_base = &byte, .iov_len = 1};

	if (process_vm_readv(getpid(), &one, 1, &one, 1, 0) < 0 && errno == ENOSYS)
		return ctx_skip(ctx, REASON_NOCONFIG, "no process_vm_readv");
	return remote_run(ctx, &ops);
}

static const struct variant variants[REMOTE_VARIANTS] = {
	REMOTE_ROWS(KIND_GAP),
};

const struct test test_process_vm = {
	.name = "process-vm",
	.description =
		"process_vm_readv reads what the process last stored, and it sees what process_vm_writev writes",
	.api = "flush_anon_page and flush_dcache_page in get_user_pages",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_CROSS_MEMORY,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = REMOTE_VARIANTS,
	.run = run,
};
