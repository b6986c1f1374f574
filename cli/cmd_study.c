/* cohort study SERIES: a submission that names a series, from options (docs/SERIES.md). */
#include "cli/cmd.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <getopt.h>
#include <string.h>

enum { OPT_BASE = 256, OPT_COMMITS, OPT_DECIDED, OPT_MAX, OPT_DRY, OPT_WATCH, OPT_JSON };

/* What an option's value becomes. */
enum takes { TEXT, NUMBER, ITEM, BOARD_ITEM };

static const struct {
	const char *option, *key;
	enum takes takes;
} members[] = {
	{"name", "name", TEXT},           {"suite", "suite", TEXT},
	{"flavour", "flavour", TEXT},     {"each", "each", TEXT},
	{"rounds", "rounds", NUMBER},     {"repetitions", "repetitions", NUMBER},
	{"priority", "priority", NUMBER}, {"iterations", "iterations", NUMBER},
	{"revision", "revisions", ITEM},  {"control", "controls", ITEM},
	{"test", "tests", ITEM},          {"cache", "cache", BOARD_ITEM},
	{"board", "names", BOARD_ITEM},   {"tag", "tags", BOARD_ITEM},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

static int take_member(json_t *job, size_t i, const char *value, struct err *err)
{
	const char *key = members[i].key;

	switch (members[i].takes) {
	case TEXT:
		return json_object_set_new(job, key, json_string(value));
	case NUMBER:
		return submit_number(job, key, value, err);
	case ITEM:
		submit_append(job, key, value);
		return 0;
	case BOARD_ITEM:
		submit_append(json_object_get(job, "boards"), key, value);
		return 0;
	}
	return EXIT_USAGE;
}

/* TREE:COMMIT, or a commit of the only tree there is. */
static void take_base(json_t *job, const char *value)
{
	const char *colon = strchr(value, ':');
	json_t *base = json_object();

	if (colon && colon != value)
		(void)json_object_set_new(base, "tree",
		                          json_stringn(value, (size_t)(colon - value)));
	(void)json_object_set_new(base, "commit", json_string(colon ? colon + 1 : value));
	(void)json_object_set_new(job, "base", base);
}

static int take_option(struct submit *s, int opt, const char *value, struct err *err)
{
	json_t *until = json_object_get(s->job, "until");

	if (opt >= 0 && opt < (int)MEMBERS)
		return take_member(s->job, (size_t)opt, value, err);
	if ((opt == OPT_DECIDED || opt == OPT_MAX) && !until) {
		until = json_object();
		(void)json_object_set_new(s->job, "until", until);
	}
	switch (opt) {
	case OPT_BASE:
		take_base(s->job, value);
		return 0;
	case OPT_COMMITS:
		return json_object_set_new(s->job, "commits", json_true());
	case OPT_DECIDED:
		return json_object_set_new(until, "decided", json_true());
	case OPT_MAX:
		return submit_number(until, "max_rounds", value, err);
	case OPT_DRY:
		s->dry = true;
		return 0;
	case OPT_WATCH:
		s->watch = true;
		return 0;
	case OPT_JSON:
		s->json = true;
		return 0;
	default:
		return EXIT_USAGE;
	}
}

/* The table that getopt_long() wants, from ours: a member's value is its row. */
static void options_make(struct option *options)
{
	static const struct option extra[] = {{"base", required_argument, NULL, OPT_BASE},
	                                      {"commits", no_argument, NULL, OPT_COMMITS},
	                                      {"until-decided", no_argument, NULL, OPT_DECIDED},
	                                      {"max-rounds", required_argument, NULL, OPT_MAX},
	                                      {"dry-run", no_argument, NULL, OPT_DRY},
	                                      {"watch", no_argument, NULL, OPT_WATCH},
	                                      {"json", no_argument, NULL, OPT_JSON},
	                                      {0}};

	for (size_t i = 0; i < MEMBERS; i++)
		options[i] = (struct option){members[i].option, required_argument, NULL, (int)i};
	(void)memcpy(options + MEMBERS, extra, sizeof(extra));
}

/* What nobody said: the coherency suite, on each class that a kernel of this farm is for. */
static void defaults_set(json_t *job)
{
	static const char *const classes[] = {"vivt", "vipt-aliasing", "vipt-nonaliasing"};
	json_t *boards = json_object_get(job, "boards");

	if (!json_object_get(job, "suite"))
		(void)json_object_set_new(job, "suite", json_string("coherence"));
	for (size_t i = 0; i < 3 && json_object_size(boards) < 1 + (i > 0); i++)
		submit_append(boards, "cache", classes[i]);
}

static int parse(struct submit *s, int argc, char **argv, struct err *err)
{
	struct option options[MEMBERS + 8];
	int opt, code;

	options_make(options);
	s->job = json_object();
	(void)json_object_set_new(s->job, "boards", json_object());
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		code = take_option(s, opt, optarg, err);
		if (code != 0)
			return code;
	}
	if (optind + 1 != argc)
		return EXIT_USAGE;
	(void)json_object_set_new(s->job, "series", json_string(argv[optind]));
	if (json_object_get(s->job, "until") &&
	    !json_object_get(json_object_get(s->job, "until"), "decided"))
		return err_set(err, ERR_INVALID, "--max-rounds goes with --until-decided");
	defaults_set(s->job);
	return 0;
}

int cmd_study(struct client *client, int argc, char **argv, struct err *err)
{
	struct submit s = {0};
	int code = parse(&s, argc, argv, err);

	if (code == 0)
		code = submit_send(client, &s, err);
	json_decref(s.job);
	return code;
}
