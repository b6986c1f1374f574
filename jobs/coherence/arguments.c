#include "arguments.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH_MIN  24U
#define LENGTH_MAX  1999U
#define NAME_LENGTH 9000U /* more than two pages */
#define NAME_INDEX  1000U /* of the string that is the program's own name */
#define ENV_INDEX   500U  /* of the first one in the environment */
#define COUNT_MOST  200
#define NONSENSE    255

/* Which arguments a program started by START_DIRECT or START_LONG_NAME has; a script's start with its path. */
enum { AT_NAME, AT_COMMAND, AT_PATH, AT_START, AT_GENERATION, AT_FIRST };

static char room[2U * ARGUMENTS_EACH * (LENGTH_MAX + 1U)];
static char name[NAME_LENGTH + 1U];

/* About a kilobyte each, of lengths that put the ends of strings everywhere in a page. */
static unsigned int length_of(unsigned int index, unsigned int generation)
{
	if (index == NAME_INDEX)
		return NAME_LENGTH;
	return LENGTH_MIN + (index * 733U + generation * 97U) % (LENGTH_MAX - LENGTH_MIN);
}

/* Character number at of string index: never NUL, and another one in each generation. */
static char character(unsigned int index, unsigned int generation, unsigned int at)
{
	uint32_t mixed = (index * 2654435761U + at) * 40503U;

	return (char)('!' + (((mixed >> 16) + generation) & 63U));
}

static void make(char *string, unsigned int index, unsigned int generation)
{
	unsigned int length = length_of(index, generation);

	for (unsigned int at = 0; at < length; at++)
		string[at] = character(index, generation, at);
	string[length] = '\0';
}

static bool is_right(const char *string, unsigned int index, unsigned int generation)
{
	unsigned int length = length_of(index, generation);

	for (unsigned int at = 0; at < length; at++) {
		if (string[at] != character(index, generation, at))
			return false;
	}
	return string[length] == '\0';
}

/* Numbers and words before the strings; returns how many arguments they are. */
static unsigned int make_first(enum start start, unsigned int generation, char **argv)
{
	static char command[] = ARGUMENTS_COMMAND;
	static char no_path[] = "-";
	static char own_name[] = "coherence";
	static char start_text[12];
	static char generation_text[12];
	unsigned int count = 0;

	(void)snprintf(start_text, sizeof(start_text), "%d", (int)start);
	(void)snprintf(generation_text, sizeof(generation_text), "%u", generation);
	if (start == START_LONG_NAME)
		make(name, NAME_INDEX, generation);
	argv[count++] = start == START_LONG_NAME ? name : own_name;
	if (start != START_SCRIPT) { /* else the kernel puts its interpreter's and the path there */
		argv[count++] = command;
		argv[count++] = no_path;
	}
	argv[count++] = start_text;
	argv[count++] = generation_text;
	return count;
}

void arguments_make(enum start start, unsigned int generation,
                    char *argv[ARGUMENTS_EACH + ARGUMENTS_FIXED], char *envp[ARGUMENTS_EACH + 1U])
{
	unsigned int first = make_first(start, generation, argv);
	char *next = room;

	for (unsigned int i = 0; i < 2U * ARGUMENTS_EACH; i++) {
		bool in_argv = i < ARGUMENTS_EACH;
		unsigned int index = in_argv ? i : i - ARGUMENTS_EACH + ENV_INDEX;

		make(next, index, generation);
		if (in_argv)
			argv[first + i] = next;
		else
			envp[i - ARGUMENTS_EACH] = next;
		next += length_of(index, generation) + 1U;
	}
	argv[first + ARGUMENTS_EACH] = NULL;
	envp[ARGUMENTS_EACH] = NULL;
}

static int count_wrong(char *const *strings, unsigned int first_index, unsigned int generation)
{
	int wrong = 0;

	for (unsigned int i = 0; i < ARGUMENTS_EACH; i++) {
		if (strings[i] == NULL)
			return (int)ARGUMENTS_EACH;
		wrong += is_right(strings[i], first_index + i, generation) ? 0 : 1;
	}
	return wrong + (strings[ARGUMENTS_EACH] == NULL ? 0 : 1);
}

/* argv is without the program's own name, which stands before it. */
int command_exec_args(int argc, char **argv)
{
	char *const *all = argv - 1;
	unsigned long generation;
	int wrong;

	if (argc + 1 != (int)(AT_FIRST + ARGUMENTS_EACH))
		return NONSENSE;
	generation = strtoul(all[AT_GENERATION], NULL, 10);
	wrong = count_wrong(all + AT_FIRST, 0, (unsigned int)generation) +
	        count_wrong(environ, ENV_INDEX, (unsigned int)generation);
	if (strtol(all[AT_START], NULL, 10) == START_LONG_NAME &&
	    !is_right(all[AT_NAME], NAME_INDEX, (unsigned int)generation))
		wrong++;
	return wrong > COUNT_MOST ? COUNT_MOST : wrong;
}
