#include "knobfile.h"

#include "knob.h"
#include "ledger.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Where the file may be: the first that is writable. */
static const char *const directories[] = {"/run", "/dev/shm", "/tmp"};

#define DIRECTORIES (sizeof(directories) / sizeof(directories[0]))
#define SUFFIX      ".knobs"
#define LINE_ROOM   (LEDGER_NAME_MAX + LEDGER_VALUE_MAX + 2U)
#define LINES_MAX   64U /* of one file; the ledger has fewer entries */
#define LOCK_TRIES  500U
#define LOCK_PAUSE  10000000L /* ns */

static int noted = -1; /* of this test, open and locked until the last of its processes ends */

static int open_in(const char *directory, const struct ledger *ledger)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s" SUFFIX, directory, ledger->label);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)flock(fd, LOCK_SH | LOCK_NB);
	return fd;
}

/* A board whose directories are all read-only can still be tested: then only a killed runner
 * leaves the setting changed. */
void knobfile_note(const struct ledger *ledger, const char *name, const char *value)
{
	char line[LINE_ROOM];
	int length = snprintf(line, sizeof(line), "%s %s\n", name, value);

	for (size_t i = 0; i < DIRECTORIES; i++) {
		if (noted < 0)
			noted = open_in(directories[i], ledger);
		if (noted < 0)
			continue;
		if (write(noted, line, (size_t)length) == length)
			return;
		(void)close(noted);
		noted = -1;
	}
}

void knobfile_forget(const struct ledger *ledger)
{
	for (size_t i = 0; i < DIRECTORIES; i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s/%s" SUFFIX, directories[i], ledger->label);
		(void)unlink(path);
	}
}

static int restore_line(char *line)
{
	char *value = strchr(line, ' ');

	if (value == NULL)
		return -1;
	*value++ = '\0';
	value[strcspn(value, "\n")] = '\0';
	return knob_restore_noted(line, value);
}

/* Backwards: what was set last goes first, and of two values of one setting the older counts. */
static unsigned int restore_lines(FILE *file)
{
	char lines[LINES_MAX][LINE_ROOM];
	unsigned int count = 0;
	unsigned int restored = 0;

	while (count < LINES_MAX && fgets(lines[count], sizeof(lines[count]), file) != NULL)
		count++;
	while (count-- > 0)
		restored += restore_line(lines[count]) == 0 ? 1U : 0U;
	return restored;
}

static bool test_has_ended(int fd)
{
	struct timespec pause = {.tv_nsec = LOCK_PAUSE};

	for (unsigned int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

/* Others may write into /tmp, too: only a plain file of our own user is believed. */
static unsigned int restore_file(int directory, const char *name)
{
	unsigned int restored = 0;
	struct stat status;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file == NULL)
		return 0;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
	    test_has_ended(fd)) {
		restored = restore_lines(file);
		(void)unlinkat(directory, name, 0);
	}
	(void)fclose(file);
	return restored;
}

unsigned int knobfile_sweep(int (*is_orphan)(const char *name, void *context), void *context)
{
	unsigned int restored = 0;

	for (size_t i = 0; i < DIRECTORIES; i++) {
		DIR *directory = opendir(directories[i]);
		const struct dirent *found;

		while (directory != NULL && (found = readdir(directory)) != NULL) {
			if (strstr(found->d_name, SUFFIX) != NULL &&
			    is_orphan(found->d_name, context))
				restored += restore_file(dirfd(directory), found->d_name);
		}
		if (directory != NULL)
			(void)closedir(directory);
	}
	return restored;
}
