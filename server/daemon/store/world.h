/* world.h - what the farm has, read for the planning of a submission (server/daemon/plan). */
#pragma once
#include "server/daemon/plan/plan.h"

struct db;
struct err;
struct world; /* opaque: copies, so that a plan may outlive the transaction that it was made in */

/* Read the boards; builds are read when the plan asks for them, within the transaction. suites is borrowed.
 * Returns a world the caller frees, or NULL with *err. */
struct world *world_load(struct db *db, const struct suites *suites, struct err *err);
const struct plan_world *world_plan(const struct world *world);

/* The transaction ends: what was found stays, nothing more will be. -1 with *err when a build could not be read. */
int world_close(struct world *world, struct err *err);
void world_free(struct world *world); /* world may be NULL */
