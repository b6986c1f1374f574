/* Patch series: mails to the farm, and what it knows of them. */
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <sys/mman.h>

#define MAILS_MAX  ((size_t)640 * 1024 * 1024)
#define INLINE_MAX ((size_t)256 * 1024) /* more is uploaded first */
#define MARK       "From cohort@z Thu Jan  1 00:00:00 1970\n"

/* ---- Reading files ---- */

struct mails {
	char *text; /* owned */
	size_t len, room;
};

static void put(struct mails *m, const char *text, size_t len)
{
	while (m->room - m->len < len + 1) {
		m->room = m->room ? m->room * 2 : 65536;
		m->text = xrealloc(m->text, m->room);
	}
	memcpy(m->text + m->len, text, len);
	m->len += len;
	m->text[m->len] = '\0';
}

static int stdin_read(struct mails *m, struct err *err)
{
	char block[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_IO, "stdin");
		if (m->len + (size_t)n > MAILS_MAX)
			return err_set(err, ERR_TOOBIG, "stdin: more than %zu MiB",
			               MAILS_MAX >> 20);
		put(m, block, (size_t)n);
	}
	return 0;
}

/* One file behind the others: a mail without a mark of its own gets one. */
static int file_add(struct mails *m, const char *path, struct err *err)
{
	struct mails one = {0};
	int rc = 0;

	if (strcmp(path, "-") == 0) {
		rc = stdin_read(&one, err);
	} else {
		one.text = fs_read_file(path, MAILS_MAX, &one.len, err);
		rc = one.text ? 0 : -1;
	}
	if (rc == 0 && m->len + one.len > MAILS_MAX)
		rc = err_set(err, ERR_TOOBIG, "the files have more than %zu MiB", MAILS_MAX >> 20);
	if (rc == 0 && one.len > 0) {
		if (m->len > 0)
			put(m, "\n", 1);
		if (one.len < 5 || memcmp(one.text, "From ", 5) != 0)
			put(m, MARK, strlen(MARK));
		put(m, one.text, one.len);
	}
	free(one.text);
	return rc;
}

/* A diff that is no mail, with what a mail would have said. */
static int diff_add(struct mails *m, const char *path, const char *subject, const char *author,
                    struct err *err)
{
	SCOPED_STR head = xasprintf(MARK "From: %s\nSubject: [PATCH] %s\n\n---\n", author, subject);

	put(m, head, strlen(head));
	if (strcmp(path, "-") == 0)
		return stdin_read(m, err);
	{
		size_t len;
		SCOPED_STR text = fs_read_file(path, MAILS_MAX, &len, err);

		if (!text)
			return -1;
		put(m, text, len);
	}
	return 0;
}

/* ---- Adding ---- */

static bool fits_json(const struct mails *m)
{
	if (m->len > INLINE_MAX)
		return false;
	for (size_t i = 0, n; i < m->len; i += n) {
		n = utf8_length(m->text + i, m->len - i);
		if (n == 0)
			return false;
	}
	return true;
}

static int upload(struct client *client, const struct mails *m, char hash[65], struct err *err)
{
	SCOPED_FD fd = memfd_create("mails", MFD_CLOEXEC);
	SCOPED_STR path = xasprintf("/proc/self/fd/%d", fd);

	if (fd < 0)
		return err_errno(err, ERR_IO, "memory file");
	if (fs_write_all(fd, m->text, m->len, err) < 0)
		return -1;
	return client_upload(client, path, hash, NULL, NULL, err);
}

/* A line of text that strangers wrote. */
__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	SCOPED_STR text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = xstrdup("");
	va_end(args);
	(void)puts(term_safe(text, false));
}

static void print_patches(const json_t *revision)
{
	json_t *patch;
	size_t i;

	json_array_foreach(json_object_get(revision, "patches"), i, patch)
	{
		say("  %lld/%zu %s", field_int(patch, "n"),
		    json_array_size(json_object_get(revision, "patches")),
		    field_text(patch, "subject"));
	}
}

static void print_added(const json_t *reply, bool dry_run)
{
	const json_t *revision = json_object_get(reply, "revision");
	long long passed = field_int(reply, "passed_over");

	say("series %s v%lld%s", field_text(json_object_get(reply, "series"), "name"),
	    field_int(revision, "version"), dry_run ? " (not stored)" : "");
	print_patches(revision);
	if (passed)
		say("  %lld mails are answers, or of other versions", passed);
}

static int send(struct client *client, const struct mails *m, json_t *body, struct err *err)
{
	bool dry_run = json_is_true(json_object_get(body, "dry_run"));
	SCOPED_JSON reply = NULL;
	char hash[65];

	if (m->len == 0)
		return err_set(err, ERR_INVALID, "no mail in what was given");
	if (fits_json(m)) {
		(void)json_object_set_new(body, "mbox", json_string(m->text));
	} else {
		if (upload(client, m, hash, err) < 0)
			return -1;
		(void)json_object_set_new(body, "file", json_string(hash));
	}
	if (client_call(client, "POST", "/api/v1/series", body, &reply, err) < 0)
		return -1;
	print_added(reply, dry_run);
	return EXIT_OK;
}

/* ---- A range in a builder's repository ---- */

#define RANGE_LOOK_MS 200

/* Until a builder has read it, and cohortd the mails. */
static int range_wait(struct client *client, json_t **range, struct err *err)
{
	SCOPED_STR path = xasprintf("/api/v1/ranges/%lld", field_int(*range, "id"));
	const char *state = field_text(*range, "state");

	while (strcmp(state, "waiting") == 0 || strcmp(state, "reading") == 0) {
		term_pause_ms(RANGE_LOOK_MS);
		json_decref(*range);
		*range = NULL;
		if (client_call(client, "GET", path, NULL, range, err) < 0)
			return -1;
		state = field_text(*range, "state");
	}
	return 0;
}

/* Why not: the first line is the error, the rest stands above it. */
static int range_refused(const json_t *range, struct err *err)
{
	SCOPED_STR text = xstrdup(field_text(range, "detail"));
	char *more = strchr(term_safe(text, true), '\n');

	if (more) {
		*more = '\0';
		(void)fprintf(stderr, "%s\n", more + 1);
	}
	return err_set(err, ERR_INVALID, "%s", text);
}

static int range_add(struct client *client, json_t *body, struct err *err)
{
	SCOPED_JSON range = NULL;
	SCOPED_JSON revision = NULL;
	SCOPED_JSON added = NULL;

	if (client_call(client, "POST", "/api/v1/series", body, &range, err) < 0 ||
	    range_wait(client, &range, err) < 0)
		return -1;
	if (strcmp(field_text(range, "state"), "failed") == 0)
		return range_refused(range, err);
	if (client_call(client, "GET", field_text(range, "revision"), NULL, &revision, err) < 0)
		return -1;
	added = json_pack("{s:{s:O}, s:O}", "series", "name", json_object_get(revision, "series"),
	                  "revision", revision);
	print_added(added, false);
	return EXIT_OK;
}

struct add {
	const char *subject, *author;
	json_t *body; /* owned */
};

/* An option whose text goes into the body. */
static int add_text(struct add *a, const char *key, const char *value, struct err *err)
{
	if (json_object_set_new(a->body, key, json_string(value)) < 0)
		return err_set(err, ERR_INVALID, "--%s: not UTF-8", key);
	return 0;
}

/* Files, or a range, and what goes with each. */
static int add_usage(const struct add *a, int files)
{
	bool range = json_object_get(a->body, "range");

	if (range ? files > 0 || a->subject || a->author : files == 0)
		return EXIT_USAGE;
	if (!range && json_object_get(a->body, "tree"))
		return EXIT_USAGE;
	return !a->subject != !a->author || (a->subject && files != 1) ? EXIT_USAGE : 0;
}

/* EXIT_USAGE, -1 with *err, or 0. */
static int add_parse(struct add *a, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{"series", required_argument, NULL, 's'}, {"version", required_argument, NULL, 'v'},
		{"dry-run", no_argument, NULL, 'n'},      {"subject", required_argument, NULL, 'j'},
		{"author", required_argument, NULL, 'a'}, {"tree", required_argument, NULL, 't'},
		{"range", required_argument, NULL, 'r'},  {0}};
	long long version;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
		case 't':
		case 'r':
			if (add_text(a,
			             opt == 's'   ? "series"
			             : opt == 't' ? "tree"
			                          : "range",
			             optarg, err) < 0)
				return -1;
			break;
		case 'v':
			version = cmd_id(optarg + (*optarg == 'v'), "version", err);
			if (version < 0)
				return -1;
			(void)json_object_set_new(a->body, "version", json_integer(version));
			break;
		case 'n':
			(void)json_object_set_new(a->body, "dry_run", json_true());
			break;
		case 'j':
			a->subject = optarg;
			break;
		case 'a':
			a->author = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return add_usage(a, argc - optind);
}

static int add(struct client *client, int argc, char **argv, struct err *err)
{
	struct add a = {.body = json_object()};
	struct mails m = {0};
	int rc = add_parse(&a, argc, argv, err);

	if (rc == 0 && a.subject)
		rc = diff_add(&m, argv[optind], a.subject, a.author, err);
	for (int i = optind; rc == 0 && !a.subject && i < argc; i++)
		rc = file_add(&m, argv[i], err);
	if (rc == 0 && json_object_get(a.body, "range"))
		rc = range_add(client, a.body, err);
	else if (rc == 0)
		rc = send(client, &m, a.body, err);
	free(m.text);
	json_decref(a.body);
	return rc;
}

/* ---- Looking ---- */

static int list(struct client *client, bool json, struct err *err)
{
	static const char *const names[] = {"SERIES", "VERSIONS", "PATCHES", "AUTHOR", "TITLE"};
	struct term_table *table;
	SCOPED_JSON items = NULL;
	json_t *series;
	size_t i;

	if (client_list(client, "/api/v1/series?limit=100", 1000, &items, err) < 0)
		return -1;
	if (json)
		return cmd_print_json(items);
	table = term_table_new();
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		term_cell(table, TERM_BOLD, "%s", names[i]);
	term_row_end(table);
	json_array_foreach(items, i, series)
	{
		const json_t *revisions = json_object_get(series, "revisions");
		const json_t *last = json_array_get(revisions, json_array_size(revisions) - 1);

		term_cell(table, TERM_PLAIN, "%s", field_text(series, "name"));
		term_cell(table, TERM_PLAIN, "%s%s",
		          field_text(json_array_get(revisions, 0), "label"),
		          json_array_size(revisions) > 1 ? "..." : "");
		if (json_array_size(revisions) > 1)
			term_cell(table, TERM_PLAIN, "%s %zu", field_text(last, "label"),
			          json_array_size(json_object_get(last, "patches")));
		else
			term_cell(table, TERM_PLAIN, "%zu",
			          json_array_size(json_object_get(last, "patches")));
		term_cell(table, TERM_PLAIN, "%s", field_text(series, "author"));
		term_cell(table, TERM_PLAIN, "%s", field_text(series, "title"));
		term_row_end(table);
	}
	term_table_print(table, stdout);
	return EXIT_OK;
}

/* "/api/v1/series/NAME" and what is behind it; the caller frees. */
static char *path_of(const char *name, const char *fmt, const char *one, const char *two)
{
	SCOPED_STR escaped = client_escape(name);
	SCOPED_STR first = client_escape(one ? one : "");
	SCOPED_STR second = client_escape(two ? two : "");
	SCOPED_STR behind = two   ? xasprintf("/diff?from=%s&to=%s", first, second)
	                    : one ? xasprintf("/revisions/%s%s", first, fmt)
	                          : xstrdup("");

	return xasprintf("/api/v1/series/%s%s", escaped, behind);
}

static void print_revision(const json_t *revision)
{
	char when[20];

	say("%s  %s  %s", field_text(revision, "label"), field_time(revision, "date", when),
	    field_text(revision, "title"));
	if (*field_text(revision, "base_commit"))
		say("  base %s", field_text(revision, "base_commit"));
	print_patches(revision);
}

static int show(struct client *client, const char *name, const char *version, struct err *err)
{
	SCOPED_STR path = path_of(name, "", version, NULL);
	SCOPED_JSON doc = NULL;
	json_t *revision;
	size_t i;

	if (client_call(client, "GET", path, NULL, &doc, err) < 0)
		return -1;
	if (version)
		return cmd_print_json(doc);
	say("%s: %s", field_text(doc, "name"), field_text(doc, "title"));
	say("by %s", field_text(doc, "author"));
	json_array_foreach(json_object_get(doc, "revisions"), i, revision)
	{
		print_revision(revision);
	}
	return EXIT_OK;
}

static int print(struct client *client, const char *path, const char *type, struct err *err)
{
	return client_print(client, path, type, err) < 0 ? -1 : EXIT_OK;
}

int cmd_series(struct client *client, int argc, char **argv, struct err *err)
{
	const char *verb = argc > 1 ? argv[1] : "";
	SCOPED_STR path = NULL;

	if (strcmp(verb, "add") == 0 && argc > 2)
		return add(client, argc - 1, argv + 1, err);
	if (strcmp(verb, "list") == 0 && argc == 2)
		return list(client, false, err);
	if (strcmp(verb, "list") == 0 && argc == 3 && strcmp(argv[2], "--json") == 0)
		return list(client, true, err);
	if (strcmp(verb, "show") == 0 && (argc == 3 || argc == 4))
		return show(client, argv[2], argc == 4 ? argv[3] : NULL, err);
	if (strcmp(verb, "diff") == 0 && argc == 5) {
		path = path_of(argv[2], "", argv[3], argv[4]);
		return print(client, path, "text/plain", err);
	}
	if (strcmp(verb, "mbox") == 0 && argc == 4) {
		path = path_of(argv[2], "/mbox", argv[3], NULL);
		return print(client, path, "application/mbox", err);
	}
	return EXIT_USAGE;
}
