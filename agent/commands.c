#include "agent/commands.h"

#include "agent/facts.h"
#include "agent/follow.h"
#include "agent/start.h"
#include "agent/worker.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int complain(const struct err *err)
{
	(void)fprintf(stderr, "cohort-agent: %s\n", err->text);
	return err->kind == ERR_NOTFOUND ? FOLLOW_NO_LEG : 1;
}

static int print_json(json_t *value)
{
	SCOPED_STR text = json_dumps(value, JSON_COMPACT);
	int bad;

	json_decref(value);
	bad = !text || printf("%s\n", text) < 0 || fflush(stdout) != 0;
	return bad;
}

static int refuse(const struct err *err)
{
	(void)print_json(json_pack("{s:b, s:s}", "ok", 0, "error", err->text));
	return 1;
}

/* The whole request: until the writer closes its end. */
static char *read_request(size_t *len, struct err *err)
{
	SCOPED_STR text = NULL;
	size_t have = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (have + 1 >= room)
			text = xrealloc(text, room = room ? room * 2 : 16384);
		n = read(STDIN_FILENO, text + have, room - have - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)err_errno(err, ERR_IO, "request");
			return NULL;
		}
		have += (size_t)n;
		if (have > REQUEST_MAX) {
			(void)err_set(err, ERR_TOOBIG, "request: larger than %u bytes",
			              REQUEST_MAX);
			return NULL;
		}
		if (n == 0)
			break;
	}
	*len = have;
	return take_str(&text);
}

static int run_leg(const struct leg *leg, const struct request *req, const char *text, size_t len,
                   bool follow)
{
	struct err err = {0};
	SCOPED_FD bell = -1;
	int rc;

	if (start_leg(leg, req, text, len, worker_main, &bell, &err) < 0)
		return refuse(&err);
	if (print_json(json_pack("{s:b, s:s}", "ok", 1, "dir", leg->dir)) != 0)
		return FOLLOW_GONE;
	if (!follow)
		return 0;
	rc = follow_leg(leg, 0, STDOUT_FILENO, bell, &err);
	return rc < 0 ? complain(&err) : rc;
}

int command_run(const struct options *opt)
{
	struct err err = {0};
	size_t len = 0;
	SCOPED_STR text = read_request(&len, &err);
	struct request req;
	struct leg leg;
	int rc;

	if (!text || request_parse(&req, text, len, &err) < 0)
		return refuse(&err);
	leg_init(&leg, opt->root, req.run, req.attempt, req.leg);
	rc = run_leg(&leg, &req, text, len, opt->follow);
	leg_release(&leg);
	request_release(&req);
	return rc;
}

int command_follow(const struct options *opt)
{
	struct err err = {0};
	struct leg leg;
	int rc;

	if (leg_parse(&leg, opt->root, opt->leg, &err) < 0)
		return complain(&err);
	rc = follow_leg(&leg, opt->from, STDOUT_FILENO, -1, &err);
	if (rc == FOLLOW_NO_LEG)
		(void)err_set(&err, ERR_NOTFOUND, "%s: no such leg", leg.dir);
	leg_release(&leg);
	return rc < 0 || rc == FOLLOW_NO_LEG ? complain(&err) : rc;
}

static int on_leg(const struct options *opt, int (*act)(const struct leg *, struct err *))
{
	struct err err = {0};
	struct leg leg;
	int rc;

	if (leg_parse(&leg, opt->root, opt->leg, &err) < 0)
		return complain(&err);
	rc = act(&leg, &err);
	leg_release(&leg);
	return rc < 0 ? complain(&err) : 0;
}

int command_cancel(const struct options *opt)
{
	return on_leg(opt, leg_cancel);
}

int command_clean(const struct options *opt)
{
	return on_leg(opt, leg_clean);
}

int command_facts(const struct options *opt)
{
	(void)opt;
	return print_json(facts_read());
}

int command_sha256(const struct options *opt)
{
	struct err err = {0};

	for (char **name = opt->names; *name; name++) {
		char hex[SHA256_HEX];

		if (sha256_file(*name, hex, NULL, &err) == 0) {
			(void)printf("%s  %s\n", hex, *name);
			continue;
		}
		if (err.kind != ERR_NOTFOUND)
			return complain(&err);
		(void)printf("-  %s\n", *name);
	}
	return fflush(stdout) != 0;
}

int command_version(const struct options *opt)
{
	(void)opt;
	(void)printf("cohort-agent %s\n", COHORT_VERSION);
	return fflush(stdout) != 0;
}
