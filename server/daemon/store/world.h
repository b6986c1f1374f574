/* world.h - what the farm has, read for the planning of a submission (server/daemon/plan). */
#pragma once
#include "server/daemon/plan/plan.h"

struct db;
struct err;
struct world; /* opaque: copies, so that a plan may outlive the transaction that it was made in */

/* What the farm is configured with; all borrowed, kernels and controls may be NULL. */
struct world_config {
	const struct suites *suites;
	const struct kernels *kernels;
	const struct controls *controls;
};

/* Read the boards; builds and series are read when the plan asks for them, within the transaction.
 * Returns a world the caller frees, or NULL with *err. */
struct world *world_load(struct db *db, const struct world_config *config, struct err *err);
const struct plan_world *world_plan(const struct world *world);

/* The transaction ends: what was found stays, nothing more will be. -1 with *err when a build could not be read. */
int world_close(struct world *world, struct err *err);
void world_free(struct world *world); /* world may be NULL */
