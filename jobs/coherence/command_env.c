#include "commands.h"
#include "env.h"

#include <stdio.h>

int command_env(int argc, char **argv)
{
	(void)argv;
	if (argc != 1) {
		(void)fprintf(stderr, "coherence: env takes no arguments\n");
		return EXIT_USAGE;
	}
	env_emit(stdout);
	return ferror(stdout) != 0 ? EXIT_BROKEN : EXIT_PASS;
}
