/* host.h - guest bytes in host memory. The guest is little-endian, and so is each host this builds on. */
#pragma once
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the guest's byte order is the host's: little-endian hosts only"
#endif

/* bytes is 1, 2 or 4. */
static inline uint32_t host_read(const uint8_t *at, unsigned bytes)
{
	uint32_t word;
	uint16_t half;

	if (bytes == 4) {
		memcpy(&word, at, 4);
		return word;
	}
	if (bytes == 1)
		return *at;
	memcpy(&half, at, 2);
	return half;
}

static inline void host_write(uint8_t *at, unsigned bytes, uint32_t value)
{
	uint16_t half = (uint16_t)value;

	if (bytes == 4)
		memcpy(at, &value, 4);
	else if (bytes == 1)
		*at = (uint8_t)value;
	else
		memcpy(at, &half, 2);
}
