#include "fusefile.h"

#include "node.h"
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define STACK_BYTES (64U * 1024U)
#define FILE_MODE   (S_IFREG | 0600)

/* A request is a header, its own arguments, and what a write carries. The first two go apart, so that the data of
 * a write begin on a page; the kernel wants room for more than it ever sends. */
#define WRITE_HEADER (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))
#define SPARE_BYTES  8192U

/* The largest answer that is not a page. */
struct answer {
	struct fuse_out_header header;
	union {
		struct fuse_init_out init;
		struct fuse_attr_out attr;
		struct fuse_open_out open;
		struct fuse_write_out write;
	};
};

struct request {
	struct fuse_in_header header;
	union {
		struct fuse_read_in read;
		struct fuse_write_in write;
	};
};

_Static_assert(sizeof(struct request) == WRITE_HEADER, "the data of a write come behind it");

/* What the server has; only it touches these, but for the two pages of struct fusefile. A kernel that forgets to flush
 * must not garble requests and answers, or nothing would work and the test would see nothing: both are pushed out of
 * the cache around each call, and so are a few of the lines under test, those with the same places. */
static struct server {
	int fd; /* /dev/fuse */
	unsigned int opened;
	uint8_t *served, *received;
	uint8_t spare[SPARE_BYTES];
	struct request request __attribute__((aligned(128)));
	struct answer answer __attribute__((aligned(256)));
} server;

/* Answer with bytes of server.answer behind its header, and with a page when there is one. */
static int reply(int error, size_t bytes, void *page, size_t page_bytes)
{
	struct answer *answer = &server.answer;
	struct iovec parts[2] = {
		{.iov_base = answer, .iov_len = sizeof(answer->header) + bytes},
		{.iov_base = page, .iov_len = page_bytes},
	};

	answer->header = (struct fuse_out_header){
		.len = (uint32_t)(sizeof(answer->header) + bytes + page_bytes),
		.error = -error,
		.unique = server.request.header.unique,
	};
	machine_evict_at(answer, sizeof(*answer));
	return writev(server.fd, parts, page_bytes > 0 ? 2 : 1) < 0 ? -1 : 0;
}

/* An old protocol without options: no write is larger than a page, and each is sent at once. */
static int do_init(void)
{
	server.answer.init = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = PAGE_BYTES,
		.max_background = 4,
		.congestion_threshold = 4,
	};
	return reply(0, sizeof(server.answer.init), NULL, 0);
}

static int do_getattr(void)
{
	server.answer.attr = (struct fuse_attr_out){
		.attr_valid = 3600,
		.attr = {.ino = FUSE_ROOT_ID,
	                 .size = FUSEFILE_BYTES,
	                 .blocks = FUSEFILE_BYTES / 512U,
	                 .mode = FILE_MODE,
	                 .nlink = 1,
	                 .blksize = PAGE_BYTES},
	};
	return reply(0, sizeof(server.answer.attr), NULL, 0);
}

/* The second open is that of the direct file. */
static int do_open(void)
{
	server.answer.open = (struct fuse_open_out){
		.open_flags = server.opened++ == 1 ? FOPEN_DIRECT_IO : FOPEN_KEEP_CACHE,
	};
	return reply(0, sizeof(server.answer.open), NULL, 0);
}

static int do_read(void)
{
	uint32_t wanted = server.request.read.size;

	return reply(0, 0, server.served, wanted < PAGE_BYTES ? wanted : PAGE_BYTES);
}

static int do_write(void)
{
	server.answer.write = (struct fuse_write_out){.size = server.request.write.size};
	return reply(0, sizeof(server.answer.write), NULL, 0);
}

static int serve_one(void)
{
	switch (server.request.header.opcode) {
	case FUSE_INIT:
		return do_init();
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		return do_getattr();
	case FUSE_OPEN:
		return do_open();
	case FUSE_READ:
		return do_read();
	case FUSE_WRITE:
		return do_write();
	case FUSE_RELEASE:
		return reply(0, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return 0; /* wants no answer */
	default:
		return reply(ENOSYS, 0, NULL, 0); /* FLUSH too: the kernel then never asks again */
	}
}

/* The server's main(). It shares the memory map with the test and nothing else, not even descriptors: when it dies, the
 * kernel ends the connection and the test cannot hang in it. */
static int serve(void *unused)
{
	struct iovec parts[3] = {
		{.iov_base = &server.request, .iov_len = sizeof(server.request)},
		{.iov_base = server.received, .iov_len = PAGE_BYTES},
		{.iov_base = server.spare, .iov_len = SPARE_BYTES},
	};
	ssize_t done;

	(void)unused;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		machine_evict_at(&server.request, sizeof(server.request));
		done = readv(server.fd, parts, 3);
		machine_evict_at(&server.request, sizeof(server.request));
	} while ((done < 0 && (errno == EINTR || errno == ENOENT)) ||
	         (done > 0 && serve_one() == 0));
	(void)syscall(SYS_exit_group, 0);
	return 0;
}

static void *fenced(void)
{
	void *slots = slots_reserve(1);
	void *page;

	if (slots == NULL)
		return NULL;
	page = mmap(slot_at(slots, 0, 0), PAGE_BYTES, PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	memset(page, 0, PAGE_BYTES);
	return page;
}

static int open_device(void)
{
	dev_t device;

	if (node_misc("fuse", &device) < 0)
		return -1;
	return node_open(S_IFCHR, device, O_RDWR);
}

/* A file that is a file system must be mounted on a file: one on a tmpfs that only we see. */
static int mount_on(const char *directory, char path[64])
{
	char options[96];
	int fd;

	if (mount("none", directory, "tmpfs", 0, "size=64k") < 0)
		return -1;
	(void)snprintf(path, 64, "%s/file", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	(void)close(fd);
	(void)snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0",
	               server.fd, FILE_MODE);
	return mount("coherence", path, "fuse", MS_NOSUID | MS_NODEV, options);
}

static int mount_file(char path[64])
{
	static const char *const directories[] = {"/mnt", "/tmp", "/run", "/var", "/opt"};
	int error = ENODEV;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (mount_on(directories[i], path) == 0)
			return 0;
		if (errno != ENOENT)
			error = errno;
	}
	errno = error;
	return -1;
}

static int start_server(void)
{
	uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int pid;

	if (stack == MAP_FAILED)
		return -1;
	pid = clone(serve, stack + STACK_BYTES, CLONE_VM | SIGCHLD, NULL);
	(void)close(server.fd); /* the server has its own; ours would keep the connection alive */
	return pid < 0 ? -1 : 0;
}

int fusefile_open(struct ctx *ctx, struct fusefile *fuse, enum reason *reason)
{
	char path[64];

	server.served = fenced();
	server.received = fenced();
	if (server.served == NULL || server.received == NULL)
		return ctx_error(ctx, "memory for the FUSE server");
	fuse->served = server.served;
	fuse->received = server.received;
	server.fd = open_device();
	if (server.fd < 0 || mount_file(path) < 0) {
		*reason = ctx_reason(errno);
		return *reason == REASON_NONE ? ctx_error(ctx, "mounting FUSE") : 1;
	}
	if (start_server() < 0)
		return ctx_error(ctx, "starting the FUSE server");
	fuse->file = open(path, O_RDWR | O_CLOEXEC);
	fuse->direct = open(path, O_RDWR | O_CLOEXEC);
	return fuse->file < 0 || fuse->direct < 0 ? ctx_error(ctx, "opening a file on FUSE") : 0;
}
