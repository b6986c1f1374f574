#include "inject.h"

#include <stddef.h>

void inject_view(const struct inject *inject, enum view_index index, unsigned int half,
                 const struct pattern *expect, uint32_t seen[HALF_WORDS])
{
	struct stamp wrong = expect->base;

	if (!inject->active || !halves_test(&inject->halves[index], half))
		return;
	wrong.generation = (uint16_t)(wrong.generation - 1U);
	if (inject->tag == TAG_POISON)
		wrong.writer = WRITER_POISON;
	else if (inject->tag == TAG_ZERO)
		wrong.writer = WRITER_ZERO;
	else if (inject->tag == TAG_FOREIGN)
		wrong.page = (uint16_t)(wrong.page + 100U);
	/* Over poison, or over zeros, a block of the user's. */
	if (inject->tag != TAG_POISON && inject->tag != TAG_ZERO &&
	    (wrong.writer == WRITER_POISON || wrong.writer == WRITER_ZERO))
		wrong.writer = WRITER_USER;
	stamp_half(&wrong, half, seen);
	if (inject->tag == TAG_TORN)
		seen[1] ^= 1U;
}

uint32_t inject_number(const struct inject *inject, uint32_t want, uint32_t got)
{
	return inject != NULL && inject->numbers ? want - 1U : got;
}
