#include "cli/settings.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

static void replace(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
}

void settings_option(struct settings *s, int option, const char *value)
{
	if (option == 's')
		replace(&s->server, value);
	else if (option == 't')
		replace(&s->token, value);
	else if (option == 'f')
		replace(&s->token_file, value);
	else if (option == 'c')
		replace(&s->config_file, value);
}

static void from_environment(char **field, const char *name)
{
	const char *value = getenv(name);

	if (!*field && value && *value)
		*field = xstrdup(value);
}

struct config_file {
	const char *server, *token, *token_file;
};

static int read_config(struct settings *s, const char *path, struct err *err)
{
	static const struct jx_field fields[] = {
		{"server", JX_STRING, false, 1, 500, offsetof(struct config_file, server)},
		{"token", JX_STRING, false, 1, 500, offsetof(struct config_file, token)},
		{"token_file", JX_STRING, false, 1, 4000, offsetof(struct config_file, token_file)},
	};
	struct config_file file = {0};
	struct jx_errors errors = {0};
	SCOPED_JSON doc = jx_load(path, 65536, err);

	if (!doc)
		return -1;
	if (!jx_read(doc, fields, sizeof(fields) / sizeof(*fields), &file, "", &errors)) {
		(void)jx_errors_to_err(&errors, err);
		jx_errors_release(&errors);
		return err_context(err, "%s", path);
	}
	if (!s->server && file.server)
		s->server = xstrdup(file.server);
	if (!s->token && !s->token_file && file.token)
		s->token = xstrdup(file.token);
	if (!s->token && !s->token_file && file.token_file)
		s->token_file = xstrdup(file.token_file);
	return 0;
}

static int find_config(struct settings *s, struct err *err)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	SCOPED_STR path = NULL;

	if (s->config_file)
		return read_config(s, s->config_file, err);
	if (xdg && *xdg)
		path = xasprintf("%s/cohort/config.json", xdg);
	else
		path = xasprintf("%s/.config/cohort/config.json", home ? home : "");
	return access(path, R_OK) == 0 ? read_config(s, path, err) : 0;
}

int settings_finish(struct settings *s, struct err *err)
{
	from_environment(&s->server, "COHORT_SERVER");
	if (!s->token_file)
		from_environment(&s->token, "COHORT_TOKEN");
	if (!s->token)
		from_environment(&s->token_file, "COHORT_TOKEN_FILE");
	if (find_config(s, err) < 0)
		return -1;
	if (!s->server)
		s->server = xstrdup("http://127.0.0.1:8080");
	if (!s->token && s->token_file) {
		s->token = fs_read_file(s->token_file, 4096, NULL, err);
		if (!s->token)
			return err_context(err, "token file");
		s->token[strcspn(s->token, "\r\n")] = '\0';
	}
	return 0;
}

void settings_release(struct settings *s)
{
	free(s->server);
	free(s->token);
	free(s->token_file);
	free(s->config_file);
	*s = (struct settings){0};
}
