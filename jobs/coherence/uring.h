/* uring.h - io_uring by bare system calls: a ring with its mappings, and nothing more. It ends with its process. */
#pragma once
#include <linux/io_uring.h>
#include <stdint.h>

struct uring {
	int fd;
	unsigned int entries; /* of the submission queue; a power of two */
	volatile uint32_t *sq_tail, *sq_array;
	volatile uint32_t *cq_head, *cq_tail;
	volatile struct io_uring_sqe *sqes;
	volatile struct io_uring_cqe *cqes;
	uint32_t cq_mask;
	void *rings, *requests; /* the mappings */
	uint32_t rings_bytes, requests_bytes;
};

/* Make a ring. Returns 0, or -1 with errno: ENOSYS when the kernel has none, EPERM when it is forbidden,
 * EOPNOTSUPP when it is older than 5.4. */
int uring_open(unsigned int entries, struct uring *uring);

void uring_close(const struct uring *uring);

/* Put request into the queue, by the user's stores only. */
void uring_queue(const struct uring *uring, const struct io_uring_sqe *request);

/* Let the kernel take count requests, and wait for least completions. Returns how many it took, or -1 with errno. */
int uring_enter(const struct uring *uring, unsigned int count, unsigned int least);
