#include "commands.h"

#include "arguments.h"
#include "emit.h"
#include "ledger.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	const char *usage; /* NULL: not for people */
	int (*run)(int argc, char **argv);
} commands[] = {
	{"list", "list [--json]                  the tests", command_list},
	{"run",
         "run [--iterations N] [--seed N] [--bench-ms N] [--set SET] [--dev PATH] [--ktap] [--env] [NAME...]\n"
         "                                        run tests: names or globs, or those of a set:\n"
         "                                        core (if nothing is said), extended, bench, all",
         command_run},
	{"env", "env                            what this machine is", command_env},
	{"selftest", "selftest [NAME...]             check the reporting with faults of its own",
         command_selftest},
	{"cleanup", "cleanup                        remove what killed runs have left",
         command_cleanup},
	{ARGUMENTS_COMMAND, NULL, command_exec_args},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(void)
{
	(void)fprintf(stderr,
	              "coherence %s: cache coherency between user mappings and the kernel\n",
	              COHORT_VERSION);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (commands[i].usage != NULL)
			(void)fprintf(stderr, "  coherence %s\n", commands[i].usage);
	}
	return EXIT_USAGE;
}

int coherence_main(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, argv[1]) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "coherence: no such command: %s\n", argv[1]);
	return usage();
}

int command_list(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--json") == 0)
		return emit_list(stdout) < 0 ? EXIT_BROKEN : EXIT_PASS;
	if (argc != 1)
		return usage();
	for (size_t i = 0; i < test_count; i++)
		(void)printf("%-24s %-8s %-8s %3u cells  %s\n", tests[i]->name,
		             kind_name(tests[i]->kind), set_name(tests[i]->set),
		             test_cells(tests[i]), tests[i]->description);
	return EXIT_PASS;
}

int command_cleanup(int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return usage();
	(void)printf("%u removed\n", ledger_sweep());
	return EXIT_PASS;
}
