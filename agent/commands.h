/* commands.h - what cohort-agent can be told to do (docs/WIRE.md, section 2). */
#pragma once

struct options {
	const char *root, *leg; /* leg: RUN.ATTEMPT.LEG */
	long long from;
	int follow;
	char **names; /* the other arguments, NULL behind */
};

/* Each returns the exit status. An error is a line on stderr, except that run answers on stdout. */
int command_run(const struct options *opt);
int command_follow(const struct options *opt);
int command_cancel(const struct options *opt);
int command_clean(const struct options *opt);
int command_facts(const struct options *opt);
int command_sha256(const struct options *opt);
int command_version(const struct options *opt);
