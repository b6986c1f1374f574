#include "platform.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX 4096U

unsigned int platform_class_of_line(const char *line)
{
	/* The longer spelling first: "VIPT aliasing" is not part of "VIPT nonaliasing". */
	static const struct {
		const char *text;
		unsigned int class_bit;
	} spellings[] = {
		{"PIPT / VIPT nonaliasing data cache", CLASS_VIPT_NONALIASING},
		{"VIPT nonaliasing data cache", CLASS_VIPT_NONALIASING},
		{"VIPT aliasing data cache", CLASS_VIPT_ALIASING},
		{"PIPT data cache", CLASS_PIPT},
		{"VIVT data cache", CLASS_VIVT},
		{"D VIVT ", CLASS_VIVT}, /* before 2.6.28 */
	};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		if (strstr(line, spellings[i].text) != NULL)
			return spellings[i].class_bit;
	}
	return 0;
}

/* The text of a /dev/kmsg record when it is the line that we look for, else NULL. */
static const char *cache_line(char *record)
{
	char *text = strchr(record, ';');
	char *end;

	if (text == NULL)
		return NULL;
	text++;
	end = strchr(text, '\n');
	if (end != NULL)
		*end = '\0';
	if (strncmp(text, "CPU: ", 5) != 0 || strstr(text, "data cache") == NULL)
		return NULL;
	return text;
}

/* The log may have wrapped long ago; then there is no such line. */
static void read_log(struct platform *platform)
{
	static char record[RECORD_MAX];
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	while (fd >= 0 && platform->cpu_line[0] == '\0') {
		ssize_t length = read(fd, record, sizeof(record) - 1);
		const char *line;

		if (length < 0 && errno == EPIPE)
			continue; /* overwritten while we read: the next record follows */
		if (length <= 0)
			break;
		record[length] = '\0';
		line = cache_line(record);
		if (line != NULL)
			(void)snprintf(platform->cpu_line, sizeof(platform->cpu_line), "%s", line);
	}
	if (fd >= 0)
		(void)close(fd);
}

void platform_cpuinfo(const char *field, char *value, unsigned int room)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];
	size_t length = strlen(field);

	value[0] = '\0';
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *colon = strchr(line, ':');

		if (colon == NULL || strncmp(line, field, length) != 0 ||
		    (line[length] != '\t' && line[length] != ' ' && line[length] != ':'))
			continue;
		line[strcspn(line, "\n")] = '\0';
		(void)snprintf(value, room, "%s", colon[1] == ' ' ? colon + 2 : colon + 1);
		break;
	}
	if (file != NULL)
		(void)fclose(file);
}

void platform_read(struct platform *platform)
{
	memset(platform, 0, sizeof(*platform));
	read_log(platform);
	platform->class_bits = platform_class_of_line(platform->cpu_line);
#ifdef __arm__
	platform->arm = true;
	if (platform->class_bits == 0) {
		char architecture[16];

		/* 4T, 5TE, 5TEJ are VIVT. Above that the number says nothing: an ARM1176
		 * with aliases reports 7. */
		platform_cpuinfo("CPU architecture", architecture, sizeof(architecture));
		if (architecture[0] == '4' || architecture[0] == '5')
			platform->class_bits = CLASS_VIVT;
	}
#endif
}

bool platform_switch_hides(const struct platform *platform)
{
	return platform->class_bits == CLASS_VIVT || (platform->arm && platform->class_bits == 0);
}
