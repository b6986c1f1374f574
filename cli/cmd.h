/* cmd.h - a subcommand of `cohort`: one file, one row in the table of main.c. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct client;
struct err;

/* Exit codes of the program. */
enum {
	EXIT_OK = 0,
	EXIT_ERROR = 1, /* said why on stderr */
	EXIT_USAGE = 2, /* the words are off */
	EXIT_INCOMPLETE =
		3, /* watch, submit --watch: the job ended, but not every planned result came */
};

struct cmd {
	const char *name;
	const char *usage; /* behind the name, each line one form */
	const char *help;  /* one line */
	/* argv[0] is the subcommand's name. Returns an exit code; with -1 *err is set. */
	int (*run)(struct client *client, int argc, char **argv, struct err *err);
};

int cmd_submit(struct client *client, int argc, char **argv, struct err *err);
int cmd_study(struct client *client, int argc, char **argv, struct err *err);
int cmd_watch(struct client *client, int argc, char **argv, struct err *err);
int cmd_jobs(struct client *client, int argc, char **argv, struct err *err);
int cmd_cancel(struct client *client, int argc, char **argv, struct err *err);
int cmd_runs(struct client *client, int argc, char **argv, struct err *err);
int cmd_log(struct client *client, int argc, char **argv, struct err *err);
int cmd_results(struct client *client, int argc, char **argv, struct err *err);
int cmd_compare(struct client *client, int argc, char **argv, struct err *err);
int cmd_export(struct client *client, int argc, char **argv, struct err *err);
int cmd_b4_check(struct client *client, int argc, char **argv, struct err *err);
int cmd_known(struct client *client, int argc, char **argv, struct err *err);
int cmd_board(struct client *client, int argc, char **argv, struct err *err);
int cmd_build(struct client *client, int argc, char **argv, struct err *err);
int cmd_schedule(struct client *client, int argc, char **argv, struct err *err);
int cmd_report(struct client *client, int argc, char **argv, struct err *err);

/* Send a job, and say what came of it. */
struct submit {
	json_t *job; /* owned by the caller */
	bool dry, watch, json;
};
int submit_send(struct client *client, const struct submit *submit, struct err *err);

/* Options become members of a submission: a text more in the array key; a number, or -1 with *err. */
void submit_append(json_t *object, const char *key, const char *value);
int submit_number(json_t *job, const char *key, const char *text, struct err *err);
int cmd_series(struct client *client, int argc, char **argv, struct err *err);

/* Follow the job until it has ended. Used by watch and by submit --watch. */
int watch_job(struct client *client, long long job, struct err *err);

/* Print value, indented, to stdout. Returns EXIT_OK. */
int cmd_print_json(const json_t *value);

/* The whole text as a number of at least 1, or -1 with *err that names what it is. */
long long cmd_id(const char *text, const char *what, struct err *err);
