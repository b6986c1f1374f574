#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

static char *board_path(const char *name)
{
	SCOPED_STR escaped = client_escape(name);

	return xasprintf("/api/v1/boards/%s", escaped);
}

static int list(struct client *client, bool json, struct err *err)
{
	static const char *const names[] = {"BOARD", "CACHE", "KIND", "STATE", "RUN", "DETAIL"};
	struct term_table *table;
	SCOPED_JSON items = NULL;
	json_t *board;
	size_t i;

	if (client_list(client, "/api/v1/boards?limit=500", 10000, &items, err) < 0)
		return -1;
	if (json)
		return cmd_print_json(items);
	table = term_table_new();
	for (i = 0; i < 6; i++)
		term_cell(table, TERM_BOLD, "%s", names[i]);
	term_row_end(table);
	json_array_foreach(items, i, board)
	{
		const char *why = field_text(board, "disabled_reason");
		long long run = field_int(board, "current_run");

		term_cell(table, TERM_PLAIN, "%s", field_text(board, "name"));
		term_cell(table, TERM_PLAIN, "%s", field_text(board, "cache"));
		term_cell(table, TERM_PLAIN, "%s", field_text(board, "kind"));
		term_cell(table, TERM_PLAIN, "%s", field_text(board, "state"));
		if (run > 0)
			term_cell(table, TERM_PLAIN, "%lld", run);
		else
			term_cell(table, TERM_PLAIN, "-");
		term_cell(table, TERM_DIM, "%s", *why ? why : field_text(board, "state_detail"));
		term_row_end(table);
	}
	term_table_print(table, stdout);
	return EXIT_OK;
}

/* Disable with a reason, or enable with NULL. */
static int set_disabled(struct client *client, const char *name, const char *reason,
                        struct err *err)
{
	SCOPED_JSON change = json_pack("{s:s?}", "disabled", reason);
	SCOPED_STR path = board_path(name);

	if (!change)
		return err_set(err, ERR_INVALID, "the reason is not UTF-8");
	return client_call(client, "PATCH", path, change, NULL, err) < 0 ? -1 : EXIT_OK;
}

static int show(struct client *client, const char *name, struct err *err)
{
	SCOPED_STR path = board_path(name);
	SCOPED_JSON board = NULL;

	return client_call(client, "GET", path, NULL, &board, err) < 0 ? -1 : cmd_print_json(board);
}

static int add(struct client *client, const char *file, struct err *err)
{
	SCOPED_JSON doc = jx_load(file, (size_t)1024 * 1024, err);
	SCOPED_JSON board = NULL;

	if (!doc || client_call(client, "POST", "/api/v1/boards", doc, &board, err) < 0)
		return -1;
	(void)printf("board %s\n", field_text(board, "name"));
	return EXIT_OK;
}

int cmd_board(struct client *client, int argc, char **argv, struct err *err)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "list") == 0 && argc == 2)
		return list(client, false, err);
	if (strcmp(verb, "list") == 0 && argc == 3 && strcmp(argv[2], "--json") == 0)
		return list(client, true, err);
	if (strcmp(verb, "show") == 0 && argc == 3)
		return show(client, argv[2], err);
	if (strcmp(verb, "add") == 0 && argc == 3)
		return add(client, argv[2], err);
	if (strcmp(verb, "disable") == 0 && argc == 4)
		return set_disabled(client, argv[2], argv[3], err);
	if (strcmp(verb, "enable") == 0 && argc == 3)
		return set_disabled(client, argv[2], NULL, err);
	return EXIT_USAGE;
}
