#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <getopt.h>

static int list(struct client *client, int argc, char **argv, struct err *err)
{
	static const char *const names[] = {"ID",    "SUITE",   "TEST", "CELLS", "CACHE",
	                                    "BOARD", "EXPIRES", "WHY",  "LINK"};
	bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
	struct term_table *table;
	SCOPED_JSON items = NULL;
	json_t *issue;
	char when[20];
	size_t i;

	if (argc > 3 || (argc == 3 && !json))
		return EXIT_USAGE;
	if (client_list(client, "/api/v1/known-issues?limit=500", 10000, &items, err) < 0)
		return -1;
	if (json)
		return cmd_print_json(items);
	table = term_table_new();
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		term_cell(table, TERM_BOLD, "%s", names[i]);
	term_row_end(table);
	json_array_foreach(items, i, issue)
	{
		bool active = json_is_true(json_object_get(issue, "active"));
		const char *board = field_text(issue, "board");
		const char *expires = field_time(issue, "expires", when);

		term_cell(table, TERM_PLAIN, "%lld", field_int(issue, "id"));
		for (unsigned k = 0; k < 4; k++) {
			static const char *const members[] = {"suite", "test", "cells", "cache"};

			term_cell(table, active ? TERM_PLAIN : TERM_DIM, "%s",
			          field_text(issue, members[k]));
		}
		term_cell(table, TERM_PLAIN, "%s", *board ? board : "any");
		term_cell(table, active ? TERM_PLAIN : TERM_DIM, "%s%s",
		          *expires ? expires : "never", active ? "" : " (over)");
		term_cell(table, TERM_PLAIN, "%s", field_text(issue, "why"));
		term_cell(table, TERM_DIM, "%s", field_text(issue, "link"));
		term_row_end(table);
	}
	term_table_print(table, stdout);
	return EXIT_OK;
}

/* Options of add and change become members of the body. */
static json_t *body_of(int argc, char **argv)
{
	static const struct option options[] = {{"suite", required_argument, NULL, 0},
	                                        {"test", required_argument, NULL, 0},
	                                        {"cells", required_argument, NULL, 0},
	                                        {"cache", required_argument, NULL, 0},
	                                        {"board", required_argument, NULL, 0},
	                                        {"why", required_argument, NULL, 0},
	                                        {"link", required_argument, NULL, 0},
	                                        {"expires", required_argument, NULL, 0},
	                                        {0}};
	json_t *body = json_object();
	int opt, at;

	while ((opt = getopt_long(argc, argv, "", options, &at)) != -1) {
		bool never = opt == 0 && strcmp(options[at].name, "expires") == 0 &&
		             strcmp(optarg, "never") == 0;

		if (opt != 0 ||
		    json_object_set_new(body, options[at].name,
		                        never ? json_null() : json_string(optarg)) < 0) {
			json_decref(body);
			return NULL;
		}
	}
	return body;
}

static int add(struct client *client, int argc, char **argv, struct err *err)
{
	SCOPED_JSON body = body_of(argc - 1, argv + 1);
	SCOPED_JSON issue = NULL;

	if (!body || optind != argc - 1)
		return EXIT_USAGE;
	if (client_call(client, "POST", "/api/v1/known-issues", body, &issue, err) < 0)
		return -1;
	(void)printf("known issue %lld\n", field_int(issue, "id"));
	return EXIT_OK;
}

static int change(struct client *client, int argc, char **argv, struct err *err)
{
	SCOPED_JSON body = body_of(argc - 1, argv + 1);
	SCOPED_JSON issue = NULL;
	SCOPED_STR path = NULL;
	long long id;

	if (!body || optind != argc - 2 || json_object_size(body) == 0)
		return EXIT_USAGE;
	id = cmd_id(argv[1 + optind], "known issue", err);
	path = xasprintf("/api/v1/known-issues/%lld", id);
	if (id < 0 || client_call(client, "PATCH", path, body, &issue, err) < 0)
		return -1;
	return cmd_print_json(issue);
}

static int forget(struct client *client, const char *text, struct err *err)
{
	long long id = cmd_id(text, "known issue", err);
	SCOPED_STR path = xasprintf("/api/v1/known-issues/%lld", id);

	if (id < 0 || client_call(client, "DELETE", path, NULL, NULL, err) < 0)
		return -1;
	return EXIT_OK;
}

int cmd_known(struct client *client, int argc, char **argv, struct err *err)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "list") == 0)
		return list(client, argc, argv, err);
	if (strcmp(verb, "add") == 0)
		return add(client, argc, argv, err);
	if (strcmp(verb, "change") == 0)
		return change(client, argc, argv, err);
	if (strcmp(verb, "delete") == 0 && argc == 3)
		return forget(client, argv[2], err);
	return EXIT_USAGE;
}
