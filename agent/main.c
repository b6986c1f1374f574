/* cohort-agent: runs tests on a board, and keeps a journal of what came of them. */
#include "agent/commands.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NEEDS_ROOT = 1, NEEDS_LEG = 2, TAKES_NAMES = 4 };

static const struct command {
	const char *name;
	int (*run)(const struct options *opt);
	unsigned needs;
	const char *usage;
} commands[] = {
	{"run", command_run, NEEDS_ROOT, "run --root ROOT [--follow]"},
	{"follow", command_follow, NEEDS_ROOT | NEEDS_LEG,
         "follow --root ROOT --run RUN.ATTEMPT.LEG [--from OFFSET]"},
	{"cancel", command_cancel, NEEDS_ROOT | NEEDS_LEG,
         "cancel --root ROOT --run RUN.ATTEMPT.LEG"},
	{"clean", command_clean, NEEDS_ROOT | NEEDS_LEG, "clean --root ROOT --run RUN.ATTEMPT.LEG"},
	{"facts", command_facts, 0, "facts"},
	{"sha256", command_sha256, TAKES_NAMES, "sha256 FILE..."},
	{"version", command_version, 0, "version"},
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

static int usage(void)
{
	for (size_t i = 0; i < COMMANDS; i++)
		(void)fprintf(stderr, "%s cohort-agent %s\n",
		              i ? "      " : "usage:", commands[i].usage);
	return 2;
}

static int parse_offset(const char *text, long long *out)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return -1;
	*out = strtoll(text, NULL, 10);
	return 0;
}

static int parse(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"root", required_argument, NULL, 'r'},
		{"run", required_argument, NULL, 'l'},
		{"from", required_argument, NULL, 'f'},
		{"follow", no_argument, NULL, 'F'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'r')
			opt->root = optarg;
		else if (c == 'l')
			opt->leg = optarg;
		else if (c == 'F')
			opt->follow = 1;
		else if (c != 'f' || parse_offset(optarg, &opt->from) < 0)
			return -1;
	}
	opt->names = argv + optind;
	return 0;
}

/* The worker outlives the session: it must not keep anything open that the session's server happened to leave. */
static void close_inherited(void)
{
	if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
		return;
	for (int fd = 3; fd < 256; fd++)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	struct options opt = {0};
	const struct command *cmd = NULL;

	close_inherited();
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			cmd = &commands[i];
	if (!cmd || parse(argc - 1, argv + 1, &opt) < 0)
		return usage();
	if (((cmd->needs & NEEDS_ROOT) && (!opt.root || opt.root[0] != '/')) ||
	    ((cmd->needs & NEEDS_LEG) && !opt.leg) ||
	    ((cmd->needs & TAKES_NAMES) == 0 && *opt.names))
		return usage();
	return cmd->run(&opt);
}
