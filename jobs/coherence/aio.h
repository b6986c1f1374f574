/* aio.h - the kernel's own asynchronous I/O by bare system calls (glibc has none; its aio_* is threads).
 * A context ends with its process, so nothing of it goes into the ledger. */
#pragma once
#include <linux/aio_abi.h>
#include <stdint.h>

#define AIO_RING_MAGIC 0xa10a10a1U

/* What is mapped at the address that is the context: the header, then the events. head is where the reader is, tail
 * where the kernel is; both run from 0 to count - 1, and equal ones mean empty. */
struct aio_ring {
	uint32_t id, count;
	uint32_t head, tail;
	uint32_t magic; /* AIO_RING_MAGIC */
	uint32_t compatible, incompatible;
	uint32_t header_bytes;
	struct io_event events[];
};

/* Make a context with room for at least events completions. Returns 0, or -1 with errno: ENOSYS when the kernel has
 * no AIO, EAGAIN when the board's limit is reached. */
int aio_setup(unsigned int events, aio_context_t *context);

/* Wait for what is under way and end the context. Returns 0, or -1 with errno. */
int aio_destroy(aio_context_t context);

/* The ring of the context. It may be looked at, and on the user's own risk be consumed by storing head. */
volatile struct aio_ring *aio_ring(aio_context_t context);

/* Fill request: a read or write (IOCB_CMD_PREAD, IOCB_CMD_PWRITE) of bytes at buffer, file position offset. tag comes
 * back in the event's data. */
void aio_prepare(struct iocb *request, uint16_t command, int fd, void *buffer, uint64_t bytes,
                 int64_t offset, uint64_t tag);

/* Submit count requests by one call. Returns how many the kernel took, or -1 with errno. */
int aio_submit(aio_context_t context, int count, struct iocb **requests);

/* Take between least and most completions, waiting up to limit_ms for the least. Returns how many, or -1 with errno. */
int aio_events(aio_context_t context, int least, int most, struct io_event *events,
               unsigned int limit_ms);
