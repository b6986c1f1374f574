#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <getopt.h>

/* What a build may say of itself beside its files; a manifest's other keys (class) are for people. */
static const char *const said[] = {"name",    "release",       "build_id", "arch",   "description",
                                   "cmdline", "config_sha256", "compiler", "series", "revision"};
static const char *const roles[] = {"kernel", "dtb", "initramfs", "modules"};

/* A build that there is no kernel of says why in the last column. */
static void list_state(struct term_table *table, const json_t *build)
{
	const char *state = field_text(build, "state");
	const json_t *failure = json_object_get(build, "failure");
	const char *text = field_text(failure, "text");
	enum term_style style = strcmp(state, "complete") == 0 ? TERM_GOOD
	                        : strcmp(state, "failed") == 0 ? TERM_BAD
	                                                       : TERM_DIM;

	term_cell(table, style, "%s", state);
	if (json_is_object(failure))
		term_cell(table, TERM_PLAIN, "%s: %.*s", field_text(failure, "step"),
		          (int)strcspn(text, "\n"), text);
}

static int list(struct client *client, const char *state, bool json, struct err *err)
{
	static const char *const names[] = {"BUILD",   "NAME",  "RELEASE", "BUILD-ID",
	                                    "CREATED", "STATE", ""};
	SCOPED_STR escaped = state ? client_escape(state) : NULL;
	SCOPED_STR path = xasprintf("/api/v1/builds?limit=500%s%s", state ? "&state=" : "",
	                            state ? escaped : "");
	struct term_table *table;
	SCOPED_JSON items = NULL;
	json_t *build;
	size_t i;

	if (client_list(client, path, 10000, &items, err) < 0)
		return -1;
	if (json) {
		return cmd_print_json(items);
	}
	table = term_table_new();
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		term_cell(table, TERM_BOLD, "%s", names[i]);
	term_row_end(table);
	json_array_foreach(items, i, build)
	{
		char when[20];

		term_cell(table, TERM_PLAIN, "%lld", field_int(build, "id"));
		term_cell(table, TERM_PLAIN, "%s", field_text(build, "name"));
		term_cell(table, TERM_PLAIN, "%s", field_text(build, "release"));
		term_cell(table, TERM_PLAIN, "%.12s", field_text(build, "build_id"));
		term_cell(table, TERM_PLAIN, "%s", field_time(build, "created", when));
		list_state(table, build);
		term_row_end(table);
	}
	term_table_print(table, stdout);
	return EXIT_OK;
}

static int show(struct client *client, const char *build, struct err *err)
{
	SCOPED_STR escaped = client_escape(build);
	SCOPED_STR path = xasprintf("/api/v1/builds/%s", escaped);
	SCOPED_JSON doc = NULL;

	if (client_call(client, "GET", path, NULL, &doc, err) < 0)
		return -1;
	return cmd_print_json(doc);
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	if (!term_is_tty())
		return;
	(void)fprintf(stderr, "\r%s: %llu%%", (const char *)arg,
	              (unsigned long long)(total ? done * 100 / total : 100));
	if (done == total)
		(void)fprintf(stderr, "\r\033[K");
}

/* Upload each file and register the build. files: role -> local path. */
static int add(struct client *client, json_t *build, json_t *files, struct err *err)
{
	SCOPED_JSON hashes = json_object();
	SCOPED_JSON reply = NULL;

	for (unsigned i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		const char *path = field_text(files, roles[i]);
		SCOPED_STR what = xasprintf("%s", roles[i]);
		char hash[65];

		if (!*path)
			continue;
		if (client_upload(client, path, hash, on_progress, what, err) < 0)
			return err_context(err, "%s", roles[i]);
		(void)json_object_set_new(hashes, roles[i], json_string(hash));
	}
	(void)json_object_set(build, "files", hashes);
	if (client_call(client, "POST", "/api/v1/builds", build, &reply, err) < 0)
		return -1;
	(void)printf("build %lld %s\n", field_int(reply, "id"), field_text(reply, "name"));
	return EXIT_OK;
}

/* Paths of a manifest are relative to it. */
static void resolve(json_t *files, const char *manifest)
{
	const char *slash = strrchr(manifest, '/');

	for (unsigned i = 0; slash && i < sizeof(roles) / sizeof(*roles); i++) {
		const char *path = field_text(files, roles[i]);
		SCOPED_STR full =
			*path && *path != '/'
				? xasprintf("%.*s/%s", (int)(slash - manifest), manifest, path)
				: NULL;

		if (full)
			(void)json_object_set_new(files, roles[i], json_string(full));
	}
}

/* What a manifest says that the server takes. */
static json_t *said_of(const json_t *manifest)
{
	json_t *build = json_object();

	for (unsigned i = 0; i < sizeof(said) / sizeof(*said); i++)
		if (json_object_get(manifest, said[i]))
			(void)json_object_set(build, said[i], json_object_get(manifest, said[i]));
	return build;
}

static int add_manifest(struct client *client, const char *path, struct err *err)
{
	SCOPED_JSON manifest = jx_load(path, (size_t)1024 * 1024, err);
	SCOPED_JSON build = said_of(manifest);
	json_t *files = json_object_get(manifest, "files");

	if (!manifest)
		return -1;
	resolve(files, path);
	return add(client, build, files, err);
}

static int add_options(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"name", required_argument, NULL, 's'},
	                                        {"release", required_argument, NULL, 's'},
	                                        {"build-id", required_argument, NULL, 'i'},
	                                        {"description", required_argument, NULL, 's'},
	                                        {"cmdline", required_argument, NULL, 's'},
	                                        {"arch", required_argument, NULL, 's'},
	                                        {"kernel", required_argument, NULL, 'f'},
	                                        {"dtb", required_argument, NULL, 'f'},
	                                        {"initramfs", required_argument, NULL, 'f'},
	                                        {"modules", required_argument, NULL, 'f'},
	                                        {0}};
	SCOPED_JSON build = json_object();
	SCOPED_JSON files = json_object();
	int opt, index = 0;

	while ((opt = getopt_long(argc, argv, "", options, &index)) != -1) {
		const char *key = opt == 'i' ? "build_id" : options[index].name;

		if (opt == '?')
			return EXIT_USAGE;
		if (json_object_set_new(opt == 'f' ? files : build, key, json_string(optarg)) < 0)
			return err_set(err, ERR_INVALID, "--%s: not UTF-8", options[index].name);
	}
	if (optind != argc || !json_object_get(build, "name"))
		return EXIT_USAGE;
	return add(client, build, files, err);
}

static int list_options(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{"state", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {0}};
	const char *state = NULL;
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?')
			return EXIT_USAGE;
		if (opt == 's')
			state = optarg;
		json |= opt == 'j';
	}
	return optind == argc ? list(client, state, json, err) : EXIT_USAGE;
}

#define MAKE_LOOK_MS 200

/* The commit was a name: the job of the reply finds out which build that is. Sets *build. */
static int make_wait(struct client *client, const char *path, json_t **build, struct err *err)
{
	for (;;) {
		SCOPED_JSON job = NULL;
		const json_t *asks;
		const char *state;

		if (client_call(client, "GET", path, NULL, &job, err) < 0)
			return -1;
		asks = json_array_get(json_object_get(job, "runs"), 0);
		state = field_text(asks, "state");
		if (strcmp(state, "queued") != 0 && strcmp(state, "running") != 0) {
			*build = json_incref(json_array_get(json_object_get(job, "builds"), 0));
			return 0;
		}
		term_pause_ms(MAKE_LOOK_MS);
	}
}

static int print_made(const json_t *build, struct err *err)
{
	const json_t *failure = json_object_get(build, "failure");

	if (json_is_object(failure))
		return err_set(err, ERR_INVALID, "%s", field_text(failure, "text"));
	(void)printf("build %lld %s: %s\n", field_int(build, "id"), field_text(build, "name"),
	             field_text(build, "state"));
	return EXIT_OK;
}

/* Have the farm make one kernel. */
static int make(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"tree", required_argument, NULL, 't'},
	                                        {"commit", required_argument, NULL, 't'},
	                                        {"flavour", required_argument, NULL, 't'},
	                                        {"series", required_argument, NULL, 't'},
	                                        {"revision", required_argument, NULL, 't'},
	                                        {"patches", required_argument, NULL, 'n'},
	                                        {"priority", required_argument, NULL, 'n'},
	                                        {0}};
	SCOPED_JSON body = json_object();
	SCOPED_JSON reply = NULL;
	SCOPED_JSON build = NULL;
	int opt, index = 0;

	while ((opt = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (opt == '?')
			return EXIT_USAGE;
		if (opt == 't')
			(void)json_object_set_new(body, options[index].name, json_string(optarg));
		else if (submit_number(body, options[index].name, optarg, err) < 0)
			return -1;
	}
	if (optind != argc || !json_object_get(body, "flavour"))
		return EXIT_USAGE;
	if (client_call(client, "POST", "/api/v1/recipes", body, &reply, err) < 0)
		return -1;
	if (!json_object_get(reply, "job"))
		return print_made(reply, err);
	if (make_wait(client, field_text(reply, "url"), &build, err) < 0)
		return -1;
	return print_made(build, err);
}

/* ---- Builds that cohortd fetches ---- */

#define FETCH_LOOK_MS 500

static bool fetch_runs(const json_t *fetch)
{
	return strcmp(field_text(fetch, "state"), "fetching") == 0;
}

static void fetch_draw(const json_t *fetch)
{
	json_t *file;
	size_t i;

	term_redraw_begin();
	json_array_foreach(json_object_get(fetch, "files"), i, file)
	{
		term_redraw_line("%-10s %lld KiB%s", field_text(file, "role"),
		                 field_int(file, "received") / 1024,
		                 json_is_true(json_object_get(file, "whole")) ? ", whole" : "");
	}
	term_redraw_end();
}

/* Look until it has ended. */
static int fetch_wait(struct client *client, long long id, json_t **fetch, struct err *err)
{
	SCOPED_STR path = xasprintf("/api/v1/fetches/%lld", id);

	while (fetch_runs(*fetch)) {
		if (term_is_tty())
			fetch_draw(*fetch);
		term_pause_ms(FETCH_LOOK_MS);
		json_decref(*fetch);
		*fetch = NULL;
		if (client_call(client, "GET", path, NULL, fetch, err) < 0)
			return -1;
	}
	return 0;
}

static int fetch(struct client *client, const char *path, bool wait, struct err *err)
{
	SCOPED_JSON manifest = jx_load(path, (size_t)1024 * 1024, err);
	SCOPED_JSON body = said_of(manifest);
	SCOPED_JSON reply = NULL;
	long long id;

	if (!manifest)
		return -1;
	if (json_object_get(manifest, "files"))
		(void)json_object_set(body, "files", json_object_get(manifest, "files"));
	if (client_call(client, "POST", "/api/v1/fetches", body, &reply, err) < 0)
		return -1;
	id = field_int(reply, "id");
	if (wait && fetch_wait(client, id, &reply, err) < 0)
		return -1;
	if (strcmp(field_text(reply, "state"), "failed") == 0)
		return err_set(err, ERR_IO, "fetch %lld: %s", id, field_text(reply, "detail"));
	if (fetch_runs(reply))
		(void)printf("fetch %lld %s\n", id, field_text(reply, "name"));
	else
		(void)printf("build %lld %s\n", field_int(reply, "build"),
		             field_text(reply, "name"));
	return EXIT_OK;
}

int cmd_build(struct client *client, int argc, char **argv, struct err *err)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "list") == 0)
		return list_options(client, argc - 1, argv + 1, err);
	if (strcmp(verb, "make") == 0)
		return make(client, argc - 1, argv + 1, err);
	if (strcmp(verb, "show") == 0 && argc == 3)
		return show(client, argv[2], err);
	if (strcmp(verb, "fetch") == 0 && argc == 3)
		return fetch(client, argv[2], false, err);
	if (strcmp(verb, "fetch") == 0 && argc == 4 && strcmp(argv[3], "--wait") == 0)
		return fetch(client, argv[2], true, err);
	if (strcmp(verb, "add") == 0 && argc == 3 && argv[2][0] != '-')
		return add_manifest(client, argv[2], err);
	if (strcmp(verb, "add") == 0 && argc > 3)
		return add_options(client, argc - 1, argv + 1, err);
	return EXIT_USAGE;
}
