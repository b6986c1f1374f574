/* transfer.h - one file from a URL into the file store, over libcurl. It goes on where it was cut, also by a restart. */
#pragma once
#include "server/daemon/fetch/where.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/* Told about every second, and at the end; total -1: the server does not say. */
typedef void transfer_progress_fn(void *arg, int64_t done, int64_t total);

struct transfer {
	const char *state_dir;
	struct fetch_where where;
	const char *ca;           /* PEM file of certificates to trust; NULL: the system's */
	const char *url, *sha256; /* checked by fetch_url_check() and sha256_valid() */
	int64_t max;              /* bytes of a file */
	const atomic_bool *stop;  /* true: end soon */
	transfer_progress_fn *progress;
	void *arg;
};

enum transfer_end {
	TRANSFER_WHOLE,  /* it is in the file store */
	TRANSFER_CUT,    /* it may go on: *err says what happened */
	TRANSFER_FAILED, /* trying again would not help: *err says why */
};

/* One connection, with its redirects. *size is the file's when it is whole; *got says that bytes came. */
enum transfer_end transfer_run(const struct transfer *transfer, int64_t *size, bool *got,
                               struct err *err);
