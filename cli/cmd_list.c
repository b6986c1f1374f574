/* The plain lists: jobs, runs, results; and what shows one of them. */
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/evidence.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <getopt.h>

#define LIST_MAX 1000

/* One list: its path and the filters that become query parameters. */
struct list {
	const char *path;
	const struct option
		*options; /* val 'j' is --json, all others are filters named as the option */
	char *query;      /* owned */
	bool json;
	const char *one; /* the single argument, or NULL */
};

static int list_parse(struct list *l, int argc, char **argv)
{
	int opt, index = 0;

	l->query = xasprintf("%s?limit=100", l->path);
	while ((opt = getopt_long(argc, argv, "", l->options, &index)) != -1) {
		SCOPED_STR value = NULL;
		char *query;

		if (opt == '?')
			return EXIT_USAGE;
		if (opt == 'j') {
			l->json = true;
			continue;
		}
		value = client_escape(optarg);
		query = xasprintf("%s&%s=%s", l->query, l->options[index].name, value);
		free(l->query);
		l->query = query;
	}
	l->one = optind < argc ? argv[optind] : NULL;
	return optind + 1 < argc ? EXIT_USAGE : 0;
}

static enum term_style verdict_style(const char *verdict)
{
	if (strcmp(verdict, "pass") == 0)
		return TERM_GOOD;
	return strcmp(verdict, "fail") == 0 || strcmp(verdict, "missing") == 0 ? TERM_BAD
	                                                                       : TERM_PLAIN;
}

static void head(struct term_table *table, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		term_cell(table, TERM_BOLD, "%s", names[i]);
	term_row_end(table);
}

static void print_jobs(const json_t *items)
{
	static const char *const names[] = {"JOB", "STATE", "RESULTS", "CREATED", "SUITE", "NAME"};
	struct term_table *table = term_table_new();
	json_t *job;
	size_t i;

	head(table, names, 6);
	json_array_foreach(items, i, job)
	{
		char when[20];

		term_cell(table, TERM_PLAIN, "%lld", field_int(job, "id"));
		term_cell(table, TERM_PLAIN, "%s", field_text(job, "state"));
		term_cell(table, TERM_PLAIN, "%lld/%lld", field_int(job, "arrived"),
		          field_int(job, "planned"));
		term_cell(table, TERM_PLAIN, "%s", field_time(job, "created", when));
		term_cell(table, TERM_PLAIN, "%s", field_text(job, "suite"));
		term_cell(table, TERM_PLAIN, "%s", field_text(job, "name"));
		term_row_end(table);
	}
	term_table_print(table, stdout);
}

static void print_runs(const json_t *items)
{
	static const char *const names[] = {"RUN",   "JOB",   "STATE", "CACHE",   "KIND",
	                                    "BOARD", "BUILD", "TRY",   "RESULTS", "FAULT"};
	struct term_table *table = term_table_new();
	json_t *run;
	size_t i;

	head(table, names, 10);
	json_array_foreach(items, i, run)
	{
		const char *fault = field_text(json_object_get(run, "fault"), "code");

		term_cell(table, TERM_PLAIN, "%lld", field_int(run, "id"));
		term_cell(table, TERM_PLAIN, "%lld", field_int(run, "job"));
		term_cell(table, TERM_PLAIN, "%s", field_text(run, "state"));
		term_cell(table, TERM_PLAIN, "%s", field_text(run, "cache"));
		term_cell(table, TERM_PLAIN, "%s", field_text(run, "kind"));
		term_cell(table, TERM_PLAIN, "%s", field_text(run, "board"));
		term_cell(table, TERM_PLAIN, "%s",
		          field_text(json_object_get(run, "build"), "name"));
		term_cell(table, TERM_PLAIN, "%lld/%lld", field_int(run, "attempt"),
		          field_int(run, "max_attempts"));
		term_cell(table, TERM_PLAIN, "%lld/%lld", field_int(run, "arrived"),
		          field_int(run, "planned"));
		term_cell(table, TERM_BAD, "%s", fault);
		term_row_end(table);
	}
	term_table_print(table, stdout);
}

static void print_results(const json_t *items)
{
	static const char *const names[] = {"RESULT", "RUN",     "BOARD", "CACHE",  "TEST",  "REP",
	                                    "CELL",   "VERDICT", "BAD",   "REASON", "DETAIL"};
	struct term_table *table = term_table_new();
	json_t *result;
	size_t i;

	head(table, names, 11);
	json_array_foreach(items, i, result)
	{
		const char *verdict = field_text(result, "verdict");

		term_cell(table, TERM_PLAIN, "%lld", field_int(result, "id"));
		term_cell(table, TERM_PLAIN, "%lld", field_int(result, "run"));
		term_cell(table, TERM_PLAIN, "%s", field_text(result, "board"));
		term_cell(table, TERM_PLAIN, "%s", field_text(result, "cache"));
		term_cell(table, TERM_PLAIN, "%s", field_text(result, "test"));
		term_cell(table, TERM_PLAIN, "%lld", field_int(result, "rep"));
		term_cell(table, TERM_PLAIN, "%s", field_text(result, "cell"));
		term_cell(table, verdict_style(verdict), "%s", verdict);
		term_cell(table, TERM_PLAIN, "%lld/%lld", field_int(result, "bad"),
		          field_int(result, "trials"));
		term_cell(table, TERM_PLAIN, "%s", field_text(result, "reason"));
		term_cell(table, TERM_DIM, "%.60s", field_text(result, "detail"));
		term_row_end(table);
	}
	term_table_print(table, stdout);
}

int cmd_print_json(const json_t *value)
{
	(void)json_dumpf(value, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	return EXIT_OK;
}

static int list_show(struct client *client, const struct list *l, void (*print)(const json_t *),
                     struct err *err)
{
	SCOPED_JSON items = NULL;

	if (client_list(client, l->query, LIST_MAX, &items, err) < 0)
		return -1;
	if (l->json)
		return cmd_print_json(items);
	print(items);
	if (json_array_size(items) >= LIST_MAX)
		(void)fprintf(stderr, "these are the newest %zu; there may be more\n",
		              json_array_size(items));
	return EXIT_OK;
}

int cmd_jobs(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{"state", required_argument, NULL, 'q'}, {"json", no_argument, NULL, 'j'}, {0}};
	struct list l = {.path = "/api/v1/jobs", .options = options};
	int code = list_parse(&l, argc, argv);

	if (code == 0)
		code = l.one ? EXIT_USAGE : list_show(client, &l, print_jobs, err);
	free(l.query);
	return code;
}

/* One thing ("run", "result") as JSON, with what belongs to it below sub (may be NULL) as "attempts". */
static int show_one(struct client *client, const char *what, const char *text, const char *sub,
                    struct err *err)
{
	long long id = cmd_id(text, what, err);
	SCOPED_STR path = xasprintf("/api/v1/%ss/%lld", what, id);
	SCOPED_STR below = sub ? xasprintf("%s/%s", path, sub) : NULL;
	SCOPED_JSON one = NULL;
	SCOPED_JSON more = NULL;

	if (id < 0 || client_call(client, "GET", path, NULL, &one, err) < 0)
		return -1;
	if (below) {
		if (client_call(client, "GET", below, NULL, &more, err) < 0)
			return -1;
		(void)json_object_set(one, sub, json_object_get(more, "items"));
	}
	return cmd_print_json(one);
}

int cmd_runs(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{"job", required_argument, NULL, 'q'},   {"board", required_argument, NULL, 'q'},
		{"state", required_argument, NULL, 'q'}, {"cache", required_argument, NULL, 'q'},
		{"json", no_argument, NULL, 'j'},        {0}};
	struct list l = {.path = "/api/v1/runs", .options = options};
	int code = list_parse(&l, argc, argv);

	if (code == 0)
		code = l.one ? show_one(client, "run", l.one, "attempts", err)
		             : list_show(client, &l, print_runs, err);
	free(l.query);
	return code;
}

/* One result with what convinces: its records, and the log around it. */
static int show_evidence(struct client *client, const char *text, struct err *err)
{
	long long id = cmd_id(text, "result", err);
	SCOPED_STR path = xasprintf("/api/v1/results/%lld", id);
	SCOPED_JSON result = NULL;

	if (id < 0 || client_call(client, "GET", path, NULL, &result, err) < 0)
		return -1;
	evidence_print(result);
	return EXIT_OK;
}

int cmd_results(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"job", required_argument, NULL, 'q'},
	                                        {"run", required_argument, NULL, 'q'},
	                                        {"test", required_argument, NULL, 'q'},
	                                        {"cell", required_argument, NULL, 'q'},
	                                        {"verdict", required_argument, NULL, 'q'},
	                                        {"cache", required_argument, NULL, 'q'},
	                                        {"board", required_argument, NULL, 'q'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        {0}};
	struct list l = {.path = "/api/v1/results", .options = options};
	int code = list_parse(&l, argc, argv);

	if (code == 0 && l.one && !l.json)
		code = show_evidence(client, l.one, err);
	else if (code == 0 && l.one)
		code = show_one(client, "result", l.one, NULL, err);
	else if (code == 0 && l.json)
		code = client_print(client, l.query, "application/x-ndjson", err) < 0 ? -1
		                                                                      : EXIT_OK;
	else if (code == 0)
		code = list_show(client, &l, print_results, err);
	free(l.query);
	return code;
}

int cmd_cancel(struct client *client, int argc, char **argv, struct err *err)
{
	SCOPED_STR path = NULL;
	long long job;

	if (argc != 2)
		return EXIT_USAGE;
	job = cmd_id(argv[1], "job", err);
	path = xasprintf("/api/v1/jobs/%lld/cancel", job);
	return job < 0 || client_call(client, "POST", path, NULL, NULL, err) < 0 ? -1 : EXIT_OK;
}

int cmd_log(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"console", no_argument, NULL, 'c'},
	                                        {"attempt", required_argument, NULL, 'a'},
	                                        {0}};
	SCOPED_STR path = NULL;
	long long run, attempt = 0;
	bool console = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?' || (opt == 'a' && (attempt = cmd_id(optarg, "attempt", err)) < 0))
			return opt == '?' ? EXIT_USAGE : -1;
		console = console || opt == 'c';
	}
	if (optind + 1 != argc)
		return EXIT_USAGE;
	run = cmd_id(argv[optind], "run", err);
	if (run < 0)
		return -1;
	path = attempt > 0 ? xasprintf("/api/v1/runs/%lld/log?source=%s&attempt=%lld", run,
	                               console ? "console" : "run", attempt)
	                   : xasprintf("/api/v1/runs/%lld/log?source=%s", run,
	                               console ? "console" : "run");
	return client_print(client, path, "text/plain", err) < 0 ? -1 : EXIT_OK;
}
