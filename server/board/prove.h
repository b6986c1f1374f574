/* prove.h - is the kernel that runs the build, on the cache class that the board's owner declared? */
#pragma once
#include "common/cacheclass.h"

#include <jansson.h>

struct err;
struct request;

struct proof {
	const char *fault; /* NULL: good; else a code of docs/WIRE.md, and *err tells both values */
	enum cache_class cache; /* what the kernel printed */
};

/* Compare facts with the request; console_line (may be NULL) is the boot line that the console showed, for a kernel whose
 * log no longer holds it. A build without release or build-id has these not checked. */
struct proof prove(const struct request *r, enum cache_class declared, const json_t *facts,
                   const char *console_line, struct err *err);
