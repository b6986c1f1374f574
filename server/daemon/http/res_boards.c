/* Boards: those of the lab owner's files, and those that the API registers, which may name no command. */
#include "common/boardfile.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/store/boards.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TAGS_MAX 32

static void tags_validate(json_t *tags, const char *pointer, struct jx_errors *errors)
{
	json_t *tag;
	size_t i;

	json_array_foreach(tags, i, tag)
	{
		SCOPED_STR at = xasprintf("%s/%zu", pointer, i);

		if (!json_is_string(tag) || !jx_name_valid(json_string_value(tag)))
			jx_complain(errors, at, "must be a name: [A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
	}
}

/* What only the lab owner may say, by a file in the boards directory: commands, and paths on the server. */
static void owner_only(json_t *doc, struct jx_errors *errors)
{
	static const struct {
		const char *object, *member;
	} commands[] = {{"boot", "command"}, {"power", "on"},     {"power", "off"},
	                {"power", "cycle"},  {"power", "status"}, {"console", "command"}},
	  paths[] = {{"console", "unix"}, {"ssh", "host_key_file"}};
	char pointer[64];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		json_t *object = json_object_get(doc, commands[i].object);

		(void)snprintf(pointer, sizeof(pointer), "/%s/%s", commands[i].object,
		               commands[i].member);
		if (json_object_get(object, commands[i].member))
			jx_complain(errors, pointer,
			            "commands are the lab owner's configuration; put the file into "
			            "the boards directory");
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		(void)snprintf(pointer, sizeof(pointer), "/%s/%s", paths[i].object,
		               paths[i].member);
		if (json_object_get(json_object_get(doc, paths[i].object), paths[i].member))
			jx_complain(
				errors, pointer,
				"paths on the server are the lab owner's configuration; put the "
				"file into the boards directory");
	}
}

/* ssh.key is the name of a file in the keys directory; it becomes its path. */
static void key_resolve(struct http_req *req, json_t *doc, struct jx_errors *errors)
{
	json_t *ssh = json_object_get(doc, "ssh");
	const char *name = json_string_value(json_object_get(ssh, "key"));
	SCOPED_STR path = NULL;
	struct stat st;

	if (!name)
		return; /* board_file_parse() complains */
	if (!req->ctx->keys_dir) {
		jx_complain(errors, "/ssh/key", "this server has no keys directory (--keys)");
		return;
	}
	path = xasprintf("%s/%s", req->ctx->keys_dir, name);
	if (strchr(name, '/') || name[0] == '.' || lstat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		jx_complain(errors, "/ssh/key", "must name a file in the server's keys directory");
		return;
	}
	(void)json_object_set_new(ssh, "key", json_string(path));
}

static void board_file_drop(void *data)
{
	board_file_free(data);
}

static int board_prepare(struct http_req *req, struct err *err)
{
	SCOPED_JSON doc = json_deep_copy(req->body);
	struct jx_errors errors = {0};
	int rc = 0;

	(void)err;
	owner_only(doc, &errors);
	key_resolve(req, doc, &errors);
	req->data = board_file_parse(doc, req->ctx->keys_dir ? req->ctx->keys_dir : "/", &errors);
	req->data_free = board_file_drop;
	if (!jx_ok(&errors))
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	return rc;
}

static int board_post(struct http_req *req, struct err *err)
{
	const struct board_file *file = req->data;
	json_t *board;

	if (board_create(req->db, file, req->now_us, err) < 0)
		return -1;
	board = board_get(req->db, file->name, err);
	return board ? http_reply_json(req, 201, board) : -1;
}

/* ---- Reading ---- */

static int boards_get(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	struct board_filter filter = {
		.cache = http_query_word(req, "cache", HTTP_CACHE_WORDS, &errors),
		.kind = http_query_word(req, "kind", "physical qemu emulated host", &errors),
		.tag = http_query(req, "tag"),
		.state = http_query_word(req, "state", "unknown idle busy unreachable disabled",
	                                 &errors),
	};
	struct http_page page;
	json_t *items;

	if (http_query_done(req, &errors) < 0 || http_page_read(req, &page) < 0)
		return -1;
	items = boards_list(req->db, &filter, page.name, page.limit + 1, err);
	return items ? http_reply_page(req, &page, items, "name") : -1;
}

static int board_show(struct http_req *req, struct err *err)
{
	json_t *board = board_get(req->db, req->param[0], err);

	return board ? http_reply_json(req, 200, board) : -1;
}

/* ---- Changing ---- */

static void disabled_read(json_t *value, struct board_change *change, struct jx_errors *errors)
{
	if (!value)
		return;
	change->set_disabled = true;
	change->disabled = json_string_value(value);
	if (!json_is_null(value) &&
	    (!json_is_string(value) || !*change->disabled || strlen(change->disabled) > 400))
		jx_complain(errors, "/disabled", "must be a reason of 1 to 400 bytes, or null");
}

static int board_change_prepare(struct http_req *req, struct err *err)
{
	struct raw {
		struct board_change change;
		json_t *disabled;
	} *raw = xcalloc(1, sizeof(*raw));
	static const struct jx_field fields[] = {
		{"tags", JX_ARRAY, false, 0, TAGS_MAX, offsetof(struct raw, change.tags)},
		{"description", JX_STRING, false, 0, 4096,
	         offsetof(struct raw, change.description)},
		{"disabled", JX_ANY, false, 0, 0, offsetof(struct raw, disabled)},
	};
	struct jx_errors errors = {0};
	int rc = 0;

	(void)err;
	req->data = raw;
	req->data_free = free;
	(void)jx_read(req->body, fields, sizeof(fields) / sizeof(fields[0]), raw, "", &errors);
	tags_validate(raw->change.tags, "/tags", &errors);
	disabled_read(raw->disabled, &raw->change, &errors);
	if (!jx_ok(&errors))
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	return rc;
}

static int board_patch(struct http_req *req, struct err *err)
{
	const struct board_change *change = req->data; /* first member of struct raw */
	json_t *board;

	if (board_update(req->db, req->param[0], change, req->now_us, err) < 0)
		return -1;
	board = board_get(req->db, req->param[0], err);
	return board ? http_reply_json(req, 200, board) : -1;
}

const struct http_route http_boards_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/boards",
		.operation = "listBoards",
		.summary = "Boards, by name",
		.flags = HTTP_READ,
		.query = "limit cursor cache kind tag state",
		.handle = boards_get,
	},
	{
		.method = "POST",
		.pattern = "/api/v1/boards",
		.operation = "createBoard",
		.summary = "Register a board",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.prepare = board_prepare,
		.handle = board_post,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/boards/{name}",
		.operation = "getBoard",
		.summary = "One board",
		.flags = HTTP_READ,
		.handle = board_show,
	},
	{
		.method = "PATCH",
		.pattern = "/api/v1/boards/{name}",
		.operation = "changeBoard",
		.summary = "Change tags and description; disable with a reason, enable",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.prepare = board_change_prepare,
		.handle = board_patch,
	},
	{0},
};
