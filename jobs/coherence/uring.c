#include "uring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture that the suite is built for. */
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#define SYS_io_uring_enter 426
#endif

static void *map(int fd, uint32_t bytes, off_t what)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	return at == MAP_FAILED ? NULL : at;
}

static int map_all(struct uring *uring, const struct io_uring_params *params)
{
	uint32_t sq_bytes = params->sq_off.array + params->sq_entries * (uint32_t)sizeof(uint32_t);
	uint32_t cq_bytes =
		params->cq_off.cqes + params->cq_entries * (uint32_t)sizeof(struct io_uring_cqe);
	uint8_t *rings;

	uring->rings_bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
	uring->requests_bytes = params->sq_entries * (uint32_t)sizeof(struct io_uring_sqe);
	rings = map(uring->fd, uring->rings_bytes, IORING_OFF_SQ_RING);
	uring->rings = rings;
	uring->requests = map(uring->fd, uring->requests_bytes, IORING_OFF_SQES);
	if (rings == NULL || uring->requests == NULL)
		return -1;
	uring->entries = params->sq_entries;
	uring->sqes = uring->requests;
	uring->sq_tail = (volatile uint32_t *)(void *)(rings + params->sq_off.tail);
	uring->sq_array = (volatile uint32_t *)(void *)(rings + params->sq_off.array);
	uring->cq_head = (volatile uint32_t *)(void *)(rings + params->cq_off.head);
	uring->cq_tail = (volatile uint32_t *)(void *)(rings + params->cq_off.tail);
	uring->cqes = (volatile struct io_uring_cqe *)(void *)(rings + params->cq_off.cqes);
	uring->cq_mask = params->cq_entries - 1U;
	return 0;
}

int uring_open(unsigned int entries, struct uring *uring)
{
	struct io_uring_params params;

	memset(uring, 0, sizeof(*uring));
	memset(&params, 0, sizeof(params));
	uring->fd = (int)syscall(SYS_io_uring_setup, entries, &params);
	if (uring->fd < 0)
		return -1;
	if ((params.features & IORING_FEAT_SINGLE_MMAP) == 0) {
		(void)close(uring->fd);
		errno = EOPNOTSUPP;
		return -1;
	}
	return map_all(uring, &params);
}

void uring_close(const struct uring *uring)
{
	(void)munmap(uring->rings, uring->rings_bytes);
	(void)munmap(uring->requests, uring->requests_bytes);
	(void)close(uring->fd);
}

void uring_queue(const struct uring *uring, const struct io_uring_sqe *request)
{
	uint32_t tail = *uring->sq_tail;
	uint32_t index = tail & (uring->entries - 1U);

	uring->sqes[index] = *request;
	uring->sq_array[index] = index;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*uring->sq_tail = tail + 1U;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

int uring_enter(const struct uring *uring, unsigned int count, unsigned int least)
{
	unsigned int flags = least > 0 ? IORING_ENTER_GETEVENTS : 0;

	return (int)syscall(SYS_io_uring_enter, uring->fd, count, least, flags, NULL, 0);
}
