/* buildrole.h - the files that a build run brings from a builder (docs/SERIES.md): their roles, and how long each may be. */
#pragma once
#include <stdint.h>

enum build_role {
	ROLE_KERNEL,
	ROLE_DTB,
	ROLE_MODULES,
	ROLE_CONFIG,
	ROLE_MAP,
	ROLE_LOG,
	ROLE_RANGE_DIFF,
	ROLE_MAILS, /* of a git run */
	ROLE_COUNT,
};

const char *build_role_name(enum build_role role);

/* The role of that name; ROLE_COUNT: there is none. */
enum build_role build_role_parse(const char *name);

/* Bytes that a file of this role may have. */
int64_t build_role_max(enum build_role role);
