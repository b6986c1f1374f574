#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"

#include <getopt.h>

enum { OPT_DRY = 256, OPT_WATCH, OPT_JSON, OPT_ITERATIONS };

void submit_append(json_t *object, const char *key, const char *value)
{
	json_t *list = json_object_get(object, key);

	if (!list) {
		list = json_array();
		(void)json_object_set_new(object, key, list);
	}
	(void)json_array_append_new(list, json_string(value));
}

/* A build is named by its number or its name. */
static void append_build(json_t *job, const char *text)
{
	json_t *list = json_object_get(job, "builds");
	long long id = cmd_id(text, "build", NULL);

	if (!list) {
		list = json_array();
		(void)json_object_set_new(job, "builds", list);
	}
	(void)json_array_append_new(list, id > 0 ? json_integer(id) : json_string(text));
}

int submit_number(json_t *job, const char *key, const char *text, struct err *err)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text)
		return err_set(err, ERR_INVALID, "--%s '%s': must be a number", key, text);
	(void)json_object_set_new(job, key, json_integer(n));
	return 0;
}

static int take_option(struct submit *s, json_t *boards, int opt, const char *value,
                       struct err *err)
{
	switch (opt) {
	case 'n':
		return json_object_set_new(s->job, "name", json_string(value));
	case 'b':
		append_build(s->job, value);
		return 0;
	case 's':
		return json_object_set_new(s->job, "suite", json_string(value));
	case 'e':
		return json_object_set_new(s->job, "each", json_string(value));
	case 't':
		submit_append(s->job, "tests", value);
		return 0;
	case 'c':
		submit_append(boards, "cache", value);
		return 0;
	case 'B':
		submit_append(boards, "names", value);
		return 0;
	case 'T':
		submit_append(boards, "tags", value);
		return 0;
	case 'r':
		return submit_number(s->job, "repetitions", value, err);
	case OPT_ITERATIONS:
		return submit_number(s->job, "iterations", value, err);
	case 'p':
		return submit_number(s->job, "priority", value, err);
	case OPT_DRY:
		s->dry = true;
		return 0;
	case OPT_WATCH:
		s->watch = true;
		return 0;
	case OPT_JSON:
		s->json = true;
		return 0;
	default:
		return EXIT_USAGE;
	}
}

static int parse(struct submit *s, int argc, char **argv, struct err *err)
{
	static const struct option longs[] = {
		{"name", required_argument, NULL, 'n'},
		{"build", required_argument, NULL, 'b'},
		{"suite", required_argument, NULL, 's'},
		{"test", required_argument, NULL, 't'},
		{"cache", required_argument, NULL, 'c'},
		{"board", required_argument, NULL, 'B'},
		{"tag", required_argument, NULL, 'T'},
		{"each", required_argument, NULL, 'e'},
		{"repetitions", required_argument, NULL, 'r'},
		{"iterations", required_argument, NULL, OPT_ITERATIONS},
		{"priority", required_argument, NULL, 'p'},
		{"dry-run", no_argument, NULL, OPT_DRY},
		{"watch", no_argument, NULL, OPT_WATCH},
		{"json", no_argument, NULL, OPT_JSON},
		{0}};
	json_t *boards = json_object();
	int opt, code;

	s->job = json_object();
	(void)json_object_set_new(s->job, "boards", boards);
	while ((opt = getopt_long(argc, argv, "n:b:s:t:c:B:T:r:p:", longs, NULL)) != -1) {
		code = take_option(s, boards, opt, optarg, err);
		if (code != 0)
			return code;
	}
	if (optind == argc)
		return json_object_get(s->job, "builds") && json_object_get(s->job, "suite")
		               ? 0
		               : EXIT_USAGE;
	if (optind + 1 != argc)
		return EXIT_USAGE;
	if (json_object_size(s->job) > 1 || json_object_size(boards) > 0)
		return err_set(err, ERR_INVALID,
		               "%s says all of the job: of the options only --dry-run, --watch and "
		               "--json go with it",
		               argv[optind]);
	json_decref(s->job);
	s->job = jx_load(argv[optind], (size_t)1024 * 1024, err);
	return s->job ? 0 : -1;
}

/* What the farm would make first. */
static void print_builds(const json_t *builds)
{
	struct term_table *table = term_table_new();
	json_t *build;
	size_t i;

	for (unsigned k = 0; k < 3; k++)
		term_cell(table, TERM_BOLD, "%s",
		          (const char *[]){"MAKE", "FLAVOUR", "BUILDERS"}[k]);
	term_row_end(table);
	json_array_foreach(builds, i, build)
	{
		SCOPED_STR builders = jx_text(json_object_get(build, "builders"));

		term_cell(table, TERM_PLAIN, "%s", field_text(build, "name"));
		term_cell(table, TERM_PLAIN, "%s", field_text(build, "flavour"));
		term_cell(table, TERM_PLAIN, "%s", builders);
		term_row_end(table);
	}
	term_table_print(table, stdout);
}

static void print_plan(const json_t *reply)
{
	struct term_table *table = term_table_new();
	json_t *run;
	size_t i;

	if (json_array_size(json_object_get(reply, "builds")) > 0)
		print_builds(json_object_get(reply, "builds"));
	for (unsigned k = 0; k < 6; k++)
		term_cell(
			table, TERM_BOLD, "%s",
			(const char *[]){"BUILD", "CACHE", "KIND", "ROUND", "TESTS", "BOARDS"}[k]);
	term_row_end(table);
	json_array_foreach(json_object_get(reply, "runs"), i, run)
	{
		SCOPED_STR boards = jx_text(json_object_get(run, "boards"));
		json_t *build = json_object_get(run, "build");
		const char *name = json_is_object(build) ? field_text(build, "name")
		                                         : json_string_value(build);

		term_cell(table, TERM_PLAIN, "%s", name ? name : "");
		term_cell(table, TERM_PLAIN, "%s", field_text(run, "cache"));
		term_cell(table, TERM_PLAIN, "%s", field_text(run, "kind"));
		term_cell(table, TERM_PLAIN, "%lld", field_int(run, "round"));
		term_cell(table, TERM_PLAIN, "%lld", field_int(run, "tests"));
		term_cell(table, TERM_PLAIN, "%s", boards);
		term_row_end(table);
	}
	term_table_print(table, stdout);
}

int submit_send(struct client *client, const struct submit *s, struct err *err)
{
	SCOPED_JSON reply = NULL;
	long long id;

	if (client_call(client, "POST", s->dry ? "/api/v1/jobs?dry_run=true" : "/api/v1/jobs",
	                s->job, &reply, err) < 0)
		return -1;
	id = field_int(reply, "id");
	if (s->json)
		(void)cmd_print_json(reply);
	else if (s->dry)
		print_plan(reply);
	else
		(void)printf("job %lld: %zu runs, %lld results planned\n%s/job.html?id=%lld\n", id,
		             json_array_size(json_object_get(reply, "runs")),
		             field_int(reply, "planned"), client_server(client), id);
	(void)fflush(stdout);
	return s->watch && !s->dry ? watch_job(client, id, err) : EXIT_OK;
}

int cmd_submit(struct client *client, int argc, char **argv, struct err *err)
{
	struct submit s = {0};
	int code = parse(&s, argc, argv, err);

	if (code == 0)
		code = submit_send(client, &s, err);
	json_decref(s.job);
	return code;
}
