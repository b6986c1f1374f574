#include "common/buildrole.h"

#include <string.h>

#define MIB ((int64_t)1 << 20)

static const struct row {
	const char *name;
	int64_t max;
} rows[] = {
	[ROLE_KERNEL] = {"kernel", 256 * MIB},
	[ROLE_DTB] = {"dtb", 4 * MIB},
	[ROLE_MODULES] = {"modules", 1024 * MIB},
	[ROLE_CONFIG] = {"config", 4 * MIB},
	[ROLE_MAP] = {"map", 64 * MIB},
	[ROLE_LOG] = {"log", 64 * MIB},
	[ROLE_RANGE_DIFF] = {"range-diff", 16 * MIB},
	[ROLE_MAILS] = {"mails", 640 * MIB},
};

const char *build_role_name(enum build_role role)
{
	return rows[role].name;
}

enum build_role build_role_parse(const char *name)
{
	unsigned i = 0;

	while (i < ROLE_COUNT && strcmp(rows[i].name, name) != 0)
		i++;
	return (enum build_role)i;
}

int64_t build_role_max(enum build_role role)
{
	return rows[role].max;
}
