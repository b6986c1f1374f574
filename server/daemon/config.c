#include "server/daemon/config.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/listen.h"

#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#define FILE_CAP ((size_t)64 * 1024)

enum row_type { ROW_TEXT, ROW_PATH, ROW_FLAG, ROW_LIST };

/* One row a key: the file's "tls_cert" is the option --tls-cert. To add one: a member of struct config and a row. */
static const struct row {
	const char *key;
	enum row_type type;
	size_t offset;
	const char *preset; /* the default; NULL: none */
	const char *help;
} rows[] = {
	{"listen", ROW_TEXT, offsetof(struct config, listen), "127.0.0.1:8080",
         "address and port; port 0 takes a free one"},
	{"state", ROW_PATH, offsetof(struct config, state), "/var/lib/cohortd",
         "directory of the store, the files and the runs"},
	{"boards", ROW_PATH, offsetof(struct config, boards), NULL, "directory of board files"},
	{"keys", ROW_PATH, offsetof(struct config, keys), NULL,
         "directory of SSH keys that boards registered by the API may name"},
	{"suites", ROW_PATH, offsetof(struct config, suites), "/usr/share/cohort/suites",
         "directory of test suites"},
	{"kernels", ROW_PATH, offsetof(struct config, kernels), NULL,
         "directory of kernels.json: what builders make"},
	{"controls", ROW_PATH, offsetof(struct config, controls), NULL,
         "directory of controls.json: kernels that are wrong on purpose"},
	{"web", ROW_PATH, offsetof(struct config, web), NULL, "directory of the page"},
	{"agents", ROW_PATH, offsetof(struct config, agents), "/usr/lib/cohort",
         "directory of cohort-agent-armel and cohort-agent-x86-64"},
	{"board_program", ROW_PATH, offsetof(struct config, board_program),
         "/usr/lib/cohort/cohort-board", "the program cohort-board"},
	{"tls_cert", ROW_PATH, offsetof(struct config, tls_cert), NULL, "certificate chain, PEM"},
	{"tls_key", ROW_PATH, offsetof(struct config, tls_key), NULL, "its key, PEM"},
	{"hosts", ROW_LIST, offsetof(struct config, hosts), NULL,
         "a name that the header Host may have, beside localhost (repeatable)"},
	{"fetch_hosts", ROW_LIST, offsetof(struct config, fetch_hosts), NULL,
         "a host, or host:port, that builds may be fetched from over https (repeatable) [none: off]"},
	{"fetch_private", ROW_LIST, offsetof(struct config, fetch_private), NULL,
         "one of fetch_hosts that may have a private or loopback address: CI inside a lab (repeatable)"},
	{"fetch_ca", ROW_PATH, offsetof(struct config, fetch_ca), NULL,
         "certificates that such hosts are trusted by, PEM, in place of the system's"},
	{"insecure_listen", ROW_FLAG, offsetof(struct config, insecure_listen), NULL,
         "listen beyond loopback without TLS"},
	{"read_token_required", ROW_FLAG, offsetof(struct config, read_token_required), NULL,
         "reading needs a token on loopback too"},
	{"smtp_url", ROW_TEXT, offsetof(struct config, smtp_url), NULL,
         "mail server for the digest, smtp://HOST:PORT or smtps://HOST:PORT"},
	{"smtp_credentials", ROW_PATH, offsetof(struct config, smtp_credentials), NULL,
         "file with one line user:password for it"},
	{"mail_from", ROW_TEXT, offsetof(struct config, mail_from), NULL,
         "address that mails come from"},
	{"mail_to", ROW_LIST, offsetof(struct config, mail_to), NULL,
         "an address that gets the digest (repeatable)"},
	{"mail_at", ROW_TEXT, offsetof(struct config, mail_at), "0 7 * * *",
         "when the digest is made, a cron expression"},
	{"mail_zone", ROW_TEXT, offsetof(struct config, mail_zone), "UTC",
         "its time zone, an IANA name"},
	{"public_url", ROW_TEXT, offsetof(struct config, public_url), NULL,
         "address of the page, for links in mails"},
	{"webhooks", ROW_PATH, offsetof(struct config, webhooks), NULL,
         "JSON file of webhooks (docs/NIGHTLY.md)"},
	{"log_level", ROW_TEXT, offsetof(struct config, log_level), "info",
         "error, warn, note, info or debug"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
	{"error", LOG_LEVEL_ERROR}, {"warn", LOG_LEVEL_WARN},   {"note", LOG_LEVEL_NOTE},
	{"info", LOG_LEVEL_INFO},   {"debug", LOG_LEVEL_DEBUG},
};

#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/* ---- Members by row ---- */

static char **text_of(struct config *config, const struct row *row)
{
	return (char **)(void *)((char *)config + row->offset);
}

static bool *flag_of(struct config *config, const struct row *row)
{
	return (bool *)((char *)config + row->offset);
}

static json_t **list_of(struct config *config, const struct row *row)
{
	return (json_t **)(void *)((char *)config + row->offset);
}

static void text_set(struct config *config, const struct row *row, const char *text,
                     const char *dir)
{
	char **member = text_of(config, row);

	free(*member);
	*member = row->type == ROW_PATH && text[0] != '/' ? xasprintf("%s/%s", dir, text)
	                                                  : xstrdup(text);
}

static void defaults_set(struct config *config)
{
	memset(config, 0, sizeof(*config));
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].type == ROW_LIST)
			*list_of(config, &rows[i]) = json_array();
		if (rows[i].preset)
			text_set(config, &rows[i], rows[i].preset, "");
	}
}

void config_release(struct config *config)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].type == ROW_TEXT || rows[i].type == ROW_PATH)
			free(*text_of(config, &rows[i]));
		if (rows[i].type == ROW_LIST)
			json_decref(*list_of(config, &rows[i]));
	}
	memset(config, 0, sizeof(*config));
}

/* ---- The file ---- */

static const struct row *row_find(const char *key)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

static void value_set(struct config *config, const char *key, json_t *value, const char *dir,
                      struct jx_errors *errors)
{
	const struct row *row = row_find(key);
	SCOPED_STR pointer = xasprintf("/%.64s", key);

	if (!row) {
		jx_complain(errors, pointer, "unknown field");
		return;
	}
	switch (row->type) {
	case ROW_TEXT:
	case ROW_PATH:
		if (json_string_length(value) > 0)
			text_set(config, row, json_string_value(value), dir);
		else if (!json_is_null(value))
			jx_complain(errors, pointer, "must be a string that is not empty");
		break;
	case ROW_FLAG:
		*flag_of(config, row) = json_is_true(value);
		if (!json_is_boolean(value))
			jx_complain(errors, pointer, "must be true or false");
		break;
	case ROW_LIST:
		if (!json_is_array(value))
			jx_complain(errors, pointer, "must be an array of strings");
		else if (jx_strings(value, 253, pointer, errors))
			(void)json_array_extend(*list_of(config, row), value);
		break;
	}
}

static char *dir_of(const char *path)
{
	SCOPED_STR whole = realpath(path, NULL);
	char *slash = whole ? strrchr(whole, '/') : NULL;

	if (!slash)
		return xstrdup(".");
	return xstrndup(whole, slash == whole ? 1 : (size_t)(slash - whole));
}

static int file_read(struct config *config, const char *path, struct err *err)
{
	SCOPED_JSON doc = jx_load(path, FILE_CAP, err);
	SCOPED_STR dir = doc ? dir_of(path) : NULL;
	struct jx_errors errors = {0};
	const char *key;
	json_t *value;
	int rc;

	if (!doc)
		return -1;
	if (!json_is_object(doc))
		return err_set(err, ERR_INVALID, "%s: must be an object", path);
	json_object_foreach(doc, key, value)
	{
		/* "notes" is for people: JSON has no comments. */
		if (strcmp(key, "notes") != 0)
			value_set(config, key, value, dir, &errors);
	}
	rc = jx_errors_to_err(&errors, err);
	jx_errors_release(&errors);
	return rc < 0 ? err_context(err, "%s", path) : 0;
}

/* ---- Options ---- */

enum { OPT_CONFIG = 1000, OPT_PRINT, OPT_CHECK, OPT_HELP, OPT_VERSION, OPT_EXTRA = 5 };

static void option_name(const struct row *row, char out[32])
{
	size_t len = strlen(row->key);

	/* A list's option gives one of it. */
	if (row->type == ROW_LIST && row->key[len - 1] == 's')
		len--;
	(void)snprintf(out, 32, "%.*s", (int)len, row->key);
	for (char *p = out; *p; p++)
		if (*p == '_')
			*p = '-';
}

/* The table that getopt_long() wants, from ours. names holds the texts. */
static void options_make(struct option *options, char names[][32])
{
	static const struct option extra[] = {
		{"config", required_argument, NULL, OPT_CONFIG},
		{"print-config", no_argument, NULL, OPT_PRINT},
		{"check-config", no_argument, NULL, OPT_CHECK},
		{"help", no_argument, NULL, OPT_HELP},
		{"version", no_argument, NULL, OPT_VERSION},
		{NULL, 0, NULL, 0},
	};

	for (size_t i = 0; i < ROWS; i++) {
		option_name(&rows[i], names[i]);
		options[i] = (struct option){
			names[i], rows[i].type == ROW_FLAG ? no_argument : required_argument, NULL,
			(int)i + 1};
	}
	memcpy(options + ROWS, extra, sizeof(extra));
}

static void option_take(struct config *config, const struct row *row, const char *value,
                        const char *cwd)
{
	if (row->type == ROW_FLAG)
		*flag_of(config, row) = true;
	else if (row->type == ROW_LIST)
		(void)json_array_append_new(*list_of(config, row), json_string(value));
	else
		text_set(config, row, value, cwd);
}

/* One walk over argv. The file is read in a first walk, because options outrank it wherever they stand. */
static enum config_found options_walk(struct config *config, int argc, char *const argv[],
                                      bool file_only, struct err *err)
{
	struct option options[ROWS + OPT_EXTRA + 1];
	char names[ROWS][32], cwd[PATH_MAX];
	enum config_found found = CONFIG_RUN;
	int c;

	options_make(options, names);
	if (!getcwd(cwd, sizeof(cwd)))
		return (void)err_errno(err, ERR_IO, "current directory"), CONFIG_ERROR;
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == '?' || c == ':') {
			(void)err_set(err, ERR_INVALID, "%s: %s", argv[optind - 1],
			              c == ':' ? "needs a value" : "unknown option");
			return CONFIG_ERROR;
		}
		if (c == OPT_CONFIG && file_only && file_read(config, optarg, err) < 0)
			return CONFIG_ERROR;
		if (c >= 1 && c <= (int)ROWS && !file_only)
			option_take(config, &rows[c - 1], optarg, cwd);
		config->print |= c == OPT_PRINT;
		config->check |= c == OPT_CHECK;
		if (c == OPT_HELP || c == OPT_VERSION)
			found = c == OPT_HELP ? CONFIG_HELP : CONFIG_VERSION;
	}
	if (optind < argc) {
		(void)err_set(err, ERR_INVALID, "%s: is no option", argv[optind]);
		return CONFIG_ERROR;
	}
	return found;
}

static int config_validate(const struct config *config, struct err *err)
{
	struct listener l;

	if (listen_parse(config->listen, &l, err) < 0)
		return -1;
	if (!config->tls_cert != !config->tls_key)
		return err_set(err, ERR_INVALID, "tls_cert and tls_key go together");
	if (config_log_level(config) < 0)
		return err_set(err, ERR_INVALID,
		               "log_level %s: must be error, warn, note, info or debug",
		               config->log_level);
	return 0;
}

enum config_found config_read(struct config *config, int argc, char *const argv[], struct err *err)
{
	enum config_found found;

	defaults_set(config);
	found = options_walk(config, argc, argv, true, err);
	if (found == CONFIG_RUN)
		found = options_walk(config, argc, argv, false, err);
	if (found == CONFIG_RUN && config_validate(config, err) < 0)
		found = CONFIG_ERROR;
	return found;
}

/* ---- Printing ---- */

/* The value of one row: a new reference. */
static json_t *value_get(const struct config *config, const struct row *row)
{
	const void *member = (const char *)config + row->offset;
	const char *text;
	json_t *list;
	bool flag;

	switch (row->type) {
	case ROW_TEXT:
	case ROW_PATH:
		memcpy((void *)&text, member, sizeof(char *));
		return text ? json_string(text) : json_null();
	case ROW_FLAG:
		memcpy(&flag, member, sizeof(flag));
		return json_boolean(flag);
	case ROW_LIST:
		memcpy((void *)&list, member, sizeof(json_t *));
		return json_incref(list);
	}
	return json_null();
}

json_t *config_json(const struct config *config)
{
	json_t *out = json_object();

	for (size_t i = 0; i < ROWS; i++)
		(void)json_object_set_new(out, rows[i].key, value_get(config, &rows[i]));
	return out;
}

int config_log_level(const struct config *config)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (strcmp(levels[i].name, config->log_level) == 0)
			return (int)levels[i].level;
	return -1;
}

void config_usage(void)
{
	(void)puts(
		"usage: cohortd [--config FILE] [OPTION...]\n"
		"Runs the farm: the HTTP API, the queue and the boards. Options outrank the file, "
		"whose keys\nhave _ for -.\n");
	for (size_t i = 0; i < ROWS; i++) {
		char name[32];

		option_name(&rows[i], name);
		(void)printf("  --%-20s %s%s%s%s\n", name, rows[i].help, rows[i].preset ? " [" : "",
		             rows[i].preset ? rows[i].preset : "", rows[i].preset ? "]" : "");
	}
	(void)puts(
		"  --config FILE          JSON with the same keys\n"
		"  --check-config         read everything that is configured, say what is wrong, end\n"
		"  --print-config         print the configuration that would be used, end\n"
		"  --help, --version");
}
