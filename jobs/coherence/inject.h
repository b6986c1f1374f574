/* inject.h - put the bytes that a missing flush would leave in front of the checks.
 *
 * This tests the reporting and nothing else: it says whether a fault that a test meets comes
 * out with the right class and bitmap. It says nothing about a kernel. Only `coherence
 * selftest` makes one, and that refuses to run inside a farm job. */
#pragma once
#include "view.h"

#include <stdbool.h>
#include <stdint.h>

struct inject {
	const char *name;                 /* for the self-check's own report */
	const char *class_name;           /* the class that must come out */
	struct halves halves[VIEW_COUNT]; /* what to spoil in each view */
	enum tag tag;                     /* what to put there */
	bool absent_too;                  /* also in cells whose user alias is absent */
	bool control_too;                 /* also in control trials */
	bool numbers;                     /* spoil every number_check(), whatever the cell */
	bool active; /* set by the trial for the cell it runs; only for views */
};

/* Change seen, the words just read of half-line half, if inject is active and says so. */
void inject_view(const struct inject *inject, enum view_index index, unsigned int half,
                 const struct pattern *expect, uint32_t seen[HALF_WORDS]);

/* Answer another number than want, the one before it, if inject is active and spoils numbers; else got. inject may be
 * NULL. */
uint32_t inject_number(const struct inject *inject, uint32_t want, uint32_t got);
