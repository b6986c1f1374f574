#include "aio.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The system call's own: words of the machine, whatever libc's struct timespec is. */
struct kernel_timespec {
	long seconds, nanoseconds;
};

int aio_setup(unsigned int events, aio_context_t *context)
{
	*context = 0;
	return (int)syscall(SYS_io_setup, events, context);
}

int aio_destroy(aio_context_t context)
{
	return (int)syscall(SYS_io_destroy, context);
}

volatile struct aio_ring *aio_ring(aio_context_t context)
{
	union {
		uintptr_t number;
		volatile struct aio_ring *ring;
	} address = {.number = (uintptr_t)context};

	return address.ring;
}

void aio_prepare(struct iocb *request, uint16_t command, int fd, void *buffer, uint64_t bytes,
                 int64_t offset, uint64_t tag)
{
	memset(request, 0, sizeof(*request));
	request->aio_data = tag;
	request->aio_lio_opcode = command;
	request->aio_fildes = (uint32_t)fd;
	request->aio_buf = (uintptr_t)buffer;
	request->aio_nbytes = bytes;
	request->aio_offset = offset;
}

int aio_submit(aio_context_t context, int count, struct iocb **requests)
{
	return (int)syscall(SYS_io_submit, context, (long)count, requests);
}

int aio_events(aio_context_t context, int least, int most, struct io_event *events,
               unsigned int limit_ms)
{
	struct kernel_timespec limit = {
		.seconds = (long)(limit_ms / 1000U),
		.nanoseconds = (long)(limit_ms % 1000U) * 1000000L,
	};

	return (int)syscall(SYS_io_getevents, context, (long)least, (long)most, events, &limit);
}
