/* zone_rule.h - for tests: a zone that is nothing but a rule. */
#pragma once
#include "server/daemon/nightly/zone.h"

#include <stdio.h>
#include <string.h>

/* A zone file without a table, with only that rule at its end, which may be anything. NULL when the rule is none; else free it by
 * zone_free(). */
static inline struct zone *zone_of_rule(const char *rule)
{
	static const unsigned char head[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4};
	static const unsigned char type[10] = {0, 0, 0, 0, 0, 0, 'U', 'T', 'C'};
	char file[1024];
	size_t len = 0;

	for (int block = 0; block < 2; block++) {
		memcpy(file + len, head, sizeof(head));
		memcpy(file + len + sizeof(head), type, sizeof(type));
		len += sizeof(head) + sizeof(type);
	}
	len += (size_t)snprintf(file + len, sizeof(file) - len, "\n%s\n", rule);
	return zone_parse(file, len < sizeof(file) ? len : sizeof(file), NULL);
}
