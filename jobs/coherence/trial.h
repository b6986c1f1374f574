/* trial.h - the engine of every test that looks at pages: states, act, three views.
 *
 * Of each trial the engine does everything but what makes the test: the ops. A batch of pages
 * goes through
 *	base for all → settle → for each page: aim, kernel state, user state, act, view 1,
 *	view 2 → settle → view 3 for all → late
 * Between act and view 1 there is nothing: no call, no allocation, no output. View 2 comes
 * after view 1 because it looks through get_user_pages for anonymous memory, which cleans. */
#pragma once
#include "ctx.h"

#include <sys/types.h>

#define TARGETS_PER_DELTA 4U
#define POOL_MAX          (DELTA_COUNT * TARGETS_PER_DELTA)

/* A page under test. */
struct target {
	void *va;          /* where the views look */
	void *alias;       /* a second mapping of it, or NULL */
	void *slot;        /* the fenced slot that holds va */
	int fd;            /* its file, or -1 for anonymous memory */
	off_t offset;      /* of the page in the file */
	unsigned int page; /* the page index in its stamps */
	unsigned int slot_index;
	int delta;     /* user colour ^ kernel colour; -1: not known */
	bool unusable; /* this kernel refused to map it; in no trial */
	bool idle;     /* set by act: the kernel did not do what the trial is about. Unless
	                * something is wrong all the same, the trial does not count */
	uint64_t pfn;  /* 0: not known */
	int arch_before;
	struct pattern base;      /* the old content; set by base */
	struct pattern user;      /* what the user state writes; set by aim */
	struct pattern expect;    /* what the views should see; set by aim */
	const void *cipher;       /* raw ciphertext for tags, or NULL; set by aim */
	struct switches switches; /* during act and view 1 */
	struct view *views;       /* VIEW_COUNT of them, in the pool */
};

struct pool {
	unsigned int count;
	struct target targets[POOL_MAX];
	struct view *
		views; /* owned: POOL_MAX x VIEW_COUNT; not in here, where every test's would be resident in each */
};

struct trial_ops {
	/* Put known old content into the page. NULL: poison by user stores. target->base is
	 * already that poison. */
	int (*base)(struct ctx *ctx, struct target *target);
	/* Decide this trial's content: set user, expect and cipher, fill ctx->source. */
	int (*aim)(struct ctx *ctx, struct target *target, const struct cell *cell);
	/* Make the kernel's alias resident and clean. NULL: pread() of the target's file, or of
	 * /proc/self/mem for anonymous memory. */
	int (*prime)(struct ctx *ctx, struct target *target);
	/* Bring the user alias into cell->user. NULL: nothing, user_load() of va, or
	 * user_dirty() of va with target->user. */
	int (*state)(struct ctx *ctx, struct target *target, const struct cell *cell);
	/* The system call, or the store, under test. */
	int (*act)(struct ctx *ctx, struct target *target);
	/* View 1, when it is more than a look at va. NULL: that. */
	void (*look)(struct ctx *ctx, struct target *target);
	/* View 2. NULL: as prime reads, compared with expect. */
	int (*kernel_view)(struct ctx *ctx, struct target *target);
	/* View 3, when it is more than a look at va. NULL: that. */
	int (*late_view)(struct ctx *ctx, struct target *target);
	/* Look again by other means, into view 3; after view 3 of every page. */
	int (*late)(struct ctx *ctx, struct target **targets, unsigned int count);
	/* Undo what the trial mapped. */
	int (*end)(struct ctx *ctx, struct target *target);
	unsigned int batch; /* pages in one batch; 0: TARGETS_PER_DELTA */
};

/* Run all iterations of cell index over the targets of its delta (any target when it has none).
 * A cell for whose delta there is no target has no trials, and is inconclusive.
 * Returns 0, or -1 when the test cannot go on. */
int trial_run(struct ctx *ctx, unsigned int index, const struct trial_ops *ops, struct pool *pool);

/* Call trial_run() for every cell of one variant that is not skipped. */
int trial_run_variant(struct ctx *ctx, unsigned int variant, const struct trial_ops *ops,
                      struct pool *pool);

/* Read the page as the kernel has it into ctx->buffer. Returns 0, or -1 after ctx_error(). */
int trial_read(struct ctx *ctx, struct target *target);

/* Where target is, for a finding. */
struct place target_place(const struct target *target);
