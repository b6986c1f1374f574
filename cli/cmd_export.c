/* Results for other tools. */
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/mail.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <getopt.h>
#include <string.h>

#define MAIL_CAP ((size_t)16 * 1024 * 1024)

/* Append "&name=value" to *path. */
static void add_query(char **path, const char *name, const char *value)
{
	SCOPED_STR escaped = client_escape(value);
	char *longer = xasprintf("%s%c%s=%s", *path, strchr(*path, '?') ? '&' : '?', name, escaped);

	free(*path);
	*path = longer;
}

int cmd_export(struct client *client, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"format", required_argument, NULL, 'f'},
	                                        {"origin", required_argument, NULL, 'n'},
	                                        {"no-cells", no_argument, NULL, 'c'},
	                                        {"output", required_argument, NULL, 'o'},
	                                        {0}};
	const char *format = NULL, *origin = NULL, *file = NULL;
	SCOPED_STR path = NULL;
	bool cells = true;
	long long job;
	int opt;

	while ((opt = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (opt == '?')
			return EXIT_USAGE;
		format = opt == 'f' ? optarg : format;
		origin = opt == 'n' ? optarg : origin;
		file = opt == 'o' ? optarg : file;
		cells = cells && opt != 'c';
	}
	if (optind + 1 != argc || !format)
		return EXIT_USAGE;
	job = cmd_id(argv[optind], "job", err);
	if (job < 0)
		return -1;
	path = xasprintf("/api/v1/jobs/%lld/export", job);
	add_query(&path, "format", format);
	if (origin)
		add_query(&path, "origin", origin);
	if (!cells)
		add_query(&path, "cells", "false");
	if (file && strcmp(file, "-") != 0)
		return client_save(client, path, "*/*", file, err) < 0 ? -1 : EXIT_OK;
	return client_print(client, path, "*/*", err) < 0 ? -1 : EXIT_OK;
}

/* All of stdin, at most MAIL_CAP bytes: the ids are in front, but a mail must be read to its end. The caller frees. */
static char *read_mail(size_t *len)
{
	char block[16384], *text = xcalloc(1, 1);
	size_t n;

	*len = 0;
	while ((n = fread(block, 1, sizeof(block), stdin)) > 0) {
		size_t take = n < MAIL_CAP - *len ? n : MAIL_CAP - *len;

		text = xrealloc(text, *len + take + 1);
		(void)memcpy(text + *len, block, take);
		*len += take;
	}
	return text;
}

/* A mail that has no id is one of which nothing is known. */
int cmd_b4_check(struct client *client, int argc, char **argv, struct err *err)
{
	struct mail_ids ids;
	SCOPED_STR text = NULL;
	SCOPED_STR path = xstrdup("/api/v1/checks");
	SCOPED_JSON checks = NULL;
	size_t len;

	(void)argv;
	if (argc != 1)
		return EXIT_USAGE;
	text = read_mail(&len);
	mail_ids_read(text, len, &ids);
	if (*ids.message_id)
		add_query(&path, "message_id", ids.message_id);
	if (*ids.change_id)
		add_query(&path, "change_id", ids.change_id);
	if (!*ids.message_id && !*ids.change_id)
		checks = json_array();
	else if (client_call(client, "GET", path, NULL, &checks, err) < 0)
		return -1;
	return cmd_print_json(checks);
}
