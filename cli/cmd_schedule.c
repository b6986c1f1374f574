/* Schedules and reports: what is submitted by the clock, and what a job has to say. */
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <stdlib.h>

static char *path_of(const char *name, const char *rest)
{
	SCOPED_STR escaped = client_escape(name);

	return xasprintf("/api/v1/schedules/%s%s", escaped, rest);
}

/* ---- Lists ---- */

static void head(struct term_table *table, const char *const *names)
{
	for (; *names; names++)
		term_cell(table, TERM_BOLD, "%s", *names);
	term_row_end(table);
}

static enum term_style style_of(const char *outcome)
{
	return strcmp(outcome, "skipped") == 0 ? TERM_BAD : TERM_PLAIN;
}

static int list(struct client *client, bool json, struct err *err)
{
	static const char *const names[] = {"SCHEDULE", "CRON", "ZONE", "NEXT",
	                                    "LAST",     "JOB",  NULL};
	struct term_table *table;
	SCOPED_JSON items = NULL;
	json_t *one;
	size_t i;

	if (client_list(client, "/api/v1/schedules?limit=100", 1000, &items, err) < 0)
		return -1;
	if (json)
		return cmd_print_json(items);
	table = term_table_new();
	head(table, names);
	json_array_foreach(items, i, one)
	{
		json_t *last = json_array_get(json_object_get(one, "last"), 0);
		json_t *next = json_array_get(json_object_get(one, "next"), 0);
		const char *disabled = field_text(one, "disabled_reason");

		term_cell(table, TERM_PLAIN, "%s", field_text(one, "name"));
		term_cell(table, TERM_PLAIN, "%s", field_text(one, "cron"));
		term_cell(table, TERM_PLAIN, "%s", field_text(one, "zone"));
		if (*disabled)
			term_cell(table, TERM_DIM, "disabled: %s", disabled);
		else
			term_cell(table, TERM_PLAIN, "%s", field_text(next, "local"));
		term_cell(table, style_of(field_text(last, "outcome")), "%s",
		          field_text(last, "outcome"));
		if (field_int(last, "job") > 0)
			term_cell(table, TERM_PLAIN, "%lld", field_int(last, "job"));
		else
			term_cell(table, TERM_DIM, "%s", field_text(last, "why"));
		term_row_end(table);
	}
	term_table_print(table, stdout);
	return EXIT_OK;
}

static void print_runs(const json_t *runs)
{
	static const char *const names[] = {"INSTANT", "OUTCOME", "JOB", "WHY", NULL};
	struct term_table *table = term_table_new();
	json_t *run;
	size_t i;

	head(table, names);
	json_array_foreach(runs, i, run)
	{
		long long count = field_int(run, "count");

		term_cell(table, TERM_PLAIN, "%s", field_text(run, "local"));
		term_cell(table, style_of(field_text(run, "outcome")), "%s",
		          field_text(run, "outcome"));
		if (field_int(run, "job") > 0)
			term_cell(table, TERM_PLAIN, "%lld", field_int(run, "job"));
		else
			term_cell(table, TERM_DIM, "-");
		if (count > 1)
			term_cell(table, TERM_DIM, "%s (%lld instants)", field_text(run, "why"),
			          count);
		else
			term_cell(table, TERM_DIM, "%s", field_text(run, "why"));
		term_row_end(table);
	}
	term_table_print(table, stdout);
}

static int runs(struct client *client, const char *name, bool json, struct err *err)
{
	SCOPED_STR path = path_of(name, "/runs?limit=100");
	SCOPED_JSON items = NULL;

	if (client_list(client, path, 200, &items, err) < 0)
		return -1;
	if (json)
		return cmd_print_json(items);
	print_runs(items);
	return EXIT_OK;
}

/* ---- One ---- */

static int print_schedule(const json_t *schedule)
{
	SCOPED_STR line = xasprintf("%s: %s %s", field_text(schedule, "name"),
	                            field_text(schedule, "cron"), field_text(schedule, "zone"));
	SCOPED_STR reason = xstrdup(field_text(schedule, "disabled_reason"));
	json_t *next;
	size_t i;

	(void)printf("%s\n", term_safe(line, false));
	if (*reason)
		(void)printf("disabled: %s\n", term_safe(reason, false));
	json_array_foreach(json_object_get(schedule, "next"), i, next)
	{
		SCOPED_STR local = xstrdup(field_text(next, "local"));

		(void)printf("%s %s\n", i == 0 ? "next" : "    ", term_safe(local, false));
	}
	print_runs(json_object_get(schedule, "last"));
	return EXIT_OK;
}

static int show(struct client *client, const char *name, bool json, struct err *err)
{
	SCOPED_STR path = path_of(name, "");
	SCOPED_JSON schedule = NULL;

	if (client_call(client, "GET", path, NULL, &schedule, err) < 0)
		return -1;
	return json ? cmd_print_json(schedule) : print_schedule(schedule);
}

static int add(struct client *client, const char *file, struct err *err)
{
	SCOPED_JSON doc = jx_load(file, (size_t)1024 * 1024, err);
	SCOPED_JSON schedule = NULL;

	if (!doc || client_call(client, "POST", "/api/v1/schedules", doc, &schedule, err) < 0)
		return -1;
	return print_schedule(schedule);
}

/* The file is one for add, or has only what changes and the name. */
static int edit(struct client *client, const char *file, struct err *err)
{
	SCOPED_JSON doc = jx_load(file, (size_t)1024 * 1024, err);
	SCOPED_JSON schedule = NULL;
	SCOPED_STR path = NULL;

	if (!doc)
		return -1;
	if (!json_is_string(json_object_get(doc, "name")))
		return err_set(err, ERR_INVALID, "%s: /name says which schedule, and is not there",
		               file);
	path = path_of(field_text(doc, "name"), "");
	(void)json_object_del(doc, "name");
	if (client_call(client, "PATCH", path, doc, &schedule, err) < 0)
		return -1;
	return print_schedule(schedule);
}

static int set_disabled(struct client *client, const char *name, const char *reason,
                        struct err *err)
{
	SCOPED_JSON change = json_pack("{s:s?}", "disabled", reason);
	SCOPED_STR path = path_of(name, "");

	if (!change)
		return err_set(err, ERR_INVALID, "the reason is not UTF-8");
	return client_call(client, "PATCH", path, change, NULL, err) < 0 ? -1 : EXIT_OK;
}

static int removed(struct client *client, const char *name, struct err *err)
{
	SCOPED_STR path = path_of(name, "");

	return client_call(client, "DELETE", path, NULL, NULL, err) < 0 ? -1 : EXIT_OK;
}

static int run_now(struct client *client, const char *name, struct err *err)
{
	SCOPED_STR path = path_of(name, "/run");
	SCOPED_JSON run = NULL;

	if (client_call(client, "POST", path, NULL, &run, err) < 0)
		return -1;
	(void)printf("job %lld\n", field_int(run, "job"));
	return EXIT_OK;
}

static int enabled(struct client *client, const char *name, struct err *err)
{
	return set_disabled(client, name, NULL, err);
}

/* Verbs with one word behind them: a file or a name. */
static const struct {
	const char *verb;
	int (*run)(struct client *client, const char *word, struct err *err);
} with_word[] = {
	{"add", add}, {"edit", edit}, {"enable", enabled}, {"rm", removed}, {"run-now", run_now},
};

int cmd_schedule(struct client *client, int argc, char **argv, struct err *err)
{
	const char *verb = argc > 1 ? argv[1] : "";
	bool json = argc > 2 && strcmp(argv[argc - 1], "--json") == 0;
	int words = argc - json;

	if (strcmp(verb, "list") == 0 && words == 2)
		return list(client, json, err);
	if (strcmp(verb, "show") == 0 && words == 3)
		return show(client, argv[2], json, err);
	if (strcmp(verb, "runs") == 0 && words == 3)
		return runs(client, argv[2], json, err);
	if (strcmp(verb, "disable") == 0 && argc == 4)
		return set_disabled(client, argv[2], argv[3], err);
	for (size_t i = 0; i < sizeof(with_word) / sizeof(with_word[0]) && argc == 3; i++)
		if (strcmp(verb, with_word[i].verb) == 0)
			return with_word[i].run(client, argv[2], err);
	return EXIT_USAGE;
}

int cmd_report(struct client *client, int argc, char **argv, struct err *err)
{
	SCOPED_STR path = NULL;
	long long job;

	if (argc != 2)
		return EXIT_USAGE;
	job = cmd_id(argv[1], "job", err);
	path = xasprintf("/api/v1/jobs/%lld/report", job);
	return job < 0 || client_print(client, path, "text/plain", err) < 0 ? -1 : EXIT_OK;
}
