#include "common/cacheclass.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[CACHE_UNKNOWN] = "unknown",
	[CACHE_VIVT] = "vivt",
	[CACHE_VIPT_ALIASING] = "vipt-aliasing",
	[CACHE_VIPT_NONALIASING] = "vipt-nonaliasing",
	[CACHE_PIPT] = "pipt",
	[CACHE_NONE] = "none",
};

static const struct {
	const char *words;
	enum cache_class class;
} spellings[] = {
	{"VIVT", CACHE_VIVT},
	{"VIPT aliasing", CACHE_VIPT_ALIASING},
	{"PIPT / VIPT nonaliasing", CACHE_VIPT_NONALIASING},
	{"VIPT nonaliasing", CACHE_VIPT_NONALIASING},
};

const char *cache_class_name(enum cache_class class)
{
	return (unsigned)class < sizeof(names) / sizeof(*names) ? names[class]
	                                                        : names[CACHE_UNKNOWN];
}

enum cache_class cache_class_parse(const char *name)
{
	for (unsigned i = CACHE_VIVT; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum cache_class)i;
	return CACHE_UNKNOWN;
}

enum cache_class cache_class_of_boot_line(const char *line, char inst[48])
{
	const char *data = strstr(line, "CPU: ");
	const char *mid = data ? strstr(data, " data cache, ") : NULL;
	const char *end = mid ? strstr(mid, " instruction cache") : NULL;
	size_t len;

	if (inst)
		inst[0] = '\0';
	if (!end)
		return CACHE_UNKNOWN;
	data += strlen("CPU: ");
	len = (size_t)(mid - data);
	mid += strlen(" data cache, ");
	if (inst && end > mid)
		(void)snprintf(inst, 48, "%.*s", (int)(end - mid > 47 ? 47 : end - mid), mid);
	for (unsigned i = 0; i < sizeof(spellings) / sizeof(*spellings); i++)
		if (strlen(spellings[i].words) == len && memcmp(spellings[i].words, data, len) == 0)
			return spellings[i].class;
	return CACHE_UNKNOWN;
}

bool cache_class_agrees(enum cache_class declared, enum cache_class printed)
{
	if (declared == CACHE_NONE)
		return printed == CACHE_UNKNOWN;
	if (declared == CACHE_PIPT)
		return printed == CACHE_PIPT || printed == CACHE_VIPT_NONALIASING;
	return declared != CACHE_UNKNOWN && declared == printed;
}
