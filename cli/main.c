/* cohort - the command line: a client of the public API and nothing else. */
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/settings.h"
#include "cli/term.h"
#include "common/err.h"

#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cmd commands[] = {
	{"submit",
         "JOB.json [--dry-run] [--watch]\n[--name N] --build B… --suite S [--test GLOB…] [--cache C…] [--board B…] [--tag T…] [--each class|board] [--repetitions N] [--iterations N] [--priority N] [--dry-run] [--watch]",
         "submit a job from a file or from options", cmd_submit},
	{"study",
         "SERIES [--base [TREE:]COMMIT] [--revision V…] [--control NAME…] [--cache C…] [--board B…] [--tag T…] [--suite S] [--test GLOB…] [--flavour F] [--commits] [--rounds N] [--until-decided [--max-rounds N]] [--name N] [--each class|board] [--repetitions N] [--iterations N] [--priority N] [--dry-run] [--watch]",
         "build the revisions of a series and compare them on boards", cmd_study},
	{"watch", "JOB", "follow a job until it has ended", cmd_watch},
	{"jobs", "[--state S] [--json]", "list the newest jobs", cmd_jobs},
	{"cancel", "JOB", "cancel a job", cmd_cancel},
	{"runs", "[--job JOB] [--board B] [--state S] [--json]\nRUN",
         "list runs, or show one with its attempts", cmd_runs},
	{"log", "RUN [--console] [--attempt N]", "print the log of a run", cmd_log},
	{"results", "[--job JOB] [--run RUN] [--test T] [--verdict V] [--cache C] [--json]\nRESULT",
         "list results, or show one with its evidence", cmd_results},
	{"compare", "JOB [--all] [--json]\n--builds ID,ID… [--suite S] [--all] [--json]",
         "compare builds, base first, per cache class", cmd_compare},
	{"export", "JOB --format ktap|junit|kcidb|b4 [--origin NAME] [--no-cells] [-o FILE]",
         "a job's results for other tools", cmd_export},
	{"b4-check", "<MAIL",
         "what the farm knows of a mailed patch, for b4.review-series-check-cmd", cmd_b4_check},
	{"known",
         "list [--json]\nadd --suite S --test GLOB --cache C --why TEXT [--cells GLOB] [--board GLOB] [--link URL] [--expires DAY]\nchange ID [--why TEXT] [--link URL] [--expires DAY|never]\ndelete ID",
         "failures that are known: where, why, until when", cmd_known},
	{"board", "list [--json]\nshow NAME\nadd FILE.json\ndisable NAME REASON\nenable NAME",
         "the boards", cmd_board},
	{"build",
         "list [--state S] [--json]\nshow ID\nmake --flavour F [--tree T] [--commit C] [--series S --revision V [--patches N]]\nadd MANIFEST.json\nadd --name N [--release R] [--build-id HEX] [--kernel F] [--dtb F] [--initramfs F] [--modules F] [--cmdline C]\nfetch MANIFEST.json [--wait]",
         "the builds: kernels with their files", cmd_build},
	{"schedule",
         "list [--json]\nshow NAME [--json]\nruns NAME [--json]\nadd FILE.json\nedit FILE.json\ndisable NAME REASON\nenable NAME\nrm NAME\nrun-now NAME",
         "what is submitted by the clock", cmd_schedule},
	{"report", "JOB", "print what a job has to say, as it would be mailed", cmd_report},
	{"series",
         "add FILE… [--series NAME] [--version N] [--dry-run]\nadd --range BASE..TIP [--tree T] [--series NAME] [--version N]\nadd DIFF --subject S --author 'NAME <ADDRESS>' [--series NAME] [--version N] [--dry-run]\nlist [--json]\nshow NAME [VERSION]\ndiff NAME FROM TO\nmbox NAME VERSION",
         "patch series: mails (- is stdin), or a range in a builder's git, become a revision; what changed between two",
         cmd_series},
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void usage_of(FILE *out, const struct cmd *cmd)
{
	const char *line = cmd->usage;

	while (line) {
		const char *end = strchr(line, '\n');
		int len = end ? (int)(end - line) : (int)strlen(line);

		(void)fprintf(out, "  cohort %s %.*s\n", cmd->name, len, line);
		line = end ? end + 1 : NULL;
	}
}

static void usage(FILE *out)
{
	(void)fprintf(
		out,
		"usage: cohort [--server URL] [--token TOKEN | --token-file FILE] [--config FILE] COMMAND …\n\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		(void)fprintf(out, "%-8s  %s\n", commands[i].name, commands[i].help);
		usage_of(out, &commands[i]);
	}
	(void)fprintf(
		out,
		"\nServer and token come from the options, else COHORT_SERVER, COHORT_TOKEN, COHORT_TOKEN_FILE, else\n"
		"${XDG_CONFIG_HOME:-~/.config}/cohort/config.json {\"server\", \"token\" or \"token_file\"}.\n"
		"Exit code: 0 good, 1 error, 2 usage, 3 the job ended without every planned result.\n");
}

long long cmd_id(const char *text, const char *what, struct err *err)
{
	char *end;
	long long id;

	errno = 0;
	id = strtoll(text, &end, 10);
	if (errno != 0 || *end || end == text || id < 1)
		return err_set(err, ERR_INVALID, "%s '%s': must be a number", what, text);
	return id;
}

static int run_command(const struct cmd *cmd, struct settings *settings, int argc, char **argv)
{
	struct client_options options;
	struct client *client = NULL;
	struct err err = {0};
	int code = -1;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		(void)printf("%s\n", cmd->help);
		usage_of(stdout, cmd);
		return EXIT_OK;
	}
	if (settings_finish(settings, &err) == 0) {
		options = (struct client_options){.server = settings->server,
		                                  .token = settings->token};
		client = client_open(&options, &err);
		if (client) {
			/* getopt starts anew, and glibc's own state with it. */
			optind = 0;
			code = cmd->run(client, argc, argv, &err);
		}
	}
	if (code == -1) {
		(void)fprintf(stderr, "cohort %s: %s\n", cmd->name, term_safe(err.text, true));
		if (client)
			client_complain(client, stderr);
		code = EXIT_ERROR;
	} else if (code == EXIT_USAGE) {
		(void)fprintf(stderr, "usage:\n");
		usage_of(stderr, cmd);
	}
	if (client)
		client_close(client);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"server", required_argument, NULL, 's'},
	                                      {"token", required_argument, NULL, 't'},
	                                      {"token-file", required_argument, NULL, 'f'},
	                                      {"config", required_argument, NULL, 'c'},
	                                      {"help", no_argument, NULL, 'h'},
	                                      {"version", no_argument, NULL, 'V'},
	                                      {0}};
	struct settings settings = {0};
	int opt, code = EXIT_USAGE;

	if (sodium_init() < 0)
		return EXIT_ERROR;
	while ((opt = getopt_long(argc, argv, "+s:t:hV", longs, NULL)) != -1) {
		if (opt == 'h' || opt == 'V') {
			if (opt == 'h')
				usage(stdout);
			else
				(void)puts("cohort " COHORT_VERSION);
			settings_release(&settings);
			return EXIT_OK;
		}
		if (opt == '?')
			return EXIT_USAGE;
		settings_option(&settings, opt, optarg);
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc > 0 && i < COMMANDS; i++) {
		if (strcmp(commands[i].name, argv[0]) == 0) {
			code = run_command(&commands[i], &settings, argc, argv);
			settings_release(&settings);
			return code;
		}
	}
	if (argc > 0)
		(void)fprintf(stderr, "cohort: no command '%s'\n", argv[0]);
	usage(stderr);
	settings_release(&settings);
	return code;
}
