/* agents.h - the agent programs of the server, with their hashes kept until the file changes. */
#pragma once
#include "common/sha256.h"

#include <stdint.h>
#include <time.h>

struct err;

struct agent {
	char *arch, *path; /* owned */
	char sha256[SHA256_HEX];
	uint64_t size;
	struct timespec changed;
};

struct agents {
	struct agent *list; /* owned */
	size_t count;
};

/* The agent for arch in dir. NULL with *err that names the file. */
const struct agent *agents_get(struct agents *agents, const char *dir, const char *arch,
                               struct err *err);
void agents_release(struct agents *agents);
