/* wire.h - what a network card sends to and takes from. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define WIRE_FRAME 1518u /* longest frame, without its checksum */

/* next() copies the next frame for this card and returns its length, at most WIRE_FRAME, or 0 when
 * there is none. NULL functions: no wire. */
struct wire {
	void (*send)(void *to, const uint8_t *frame, size_t len);
	size_t (*next)(void *to, uint8_t *frame);
	void *to; /* borrowed */
};
