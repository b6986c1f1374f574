/* ktap_line.h - one line of KTAP: what it is, without regard to the lines around it. */
#pragma once
#include "agent/ktap.h"

enum ktap_kind {
	KTAP_OTHER,   /* nothing of ours */
	KTAP_NOTE,    /* a diagnostic: text */
	KTAP_VERSION, /* "KTAP version 1", "TAP version 13" */
	KTAP_TITLE,   /* "# Subtest: x", "# selftests: dir: prog": result.name */
	KTAP_PLAN,    /* plan; with 1..0 # SKIP also result.verdict, reason and text */
	KTAP_RESULT,  /* result */
	KTAP_BAIL,    /* "Bail out!": text */
};

struct ktap_result {
	int64_t number;
	enum verdict verdict;
	bool expected;
	char name[KTAP_NAME + 1]; /* "" when the line has none */
	char reason[32];
	char text[256]; /* behind the '#' */
};

struct ktap_parsed {
	enum ktap_kind kind;
	size_t column; /* bytes of indent, "# " of kselftest's runner counted as such */
	int64_t plan;
	struct ktap_result result;
	char text[KTAP_TEXT + 1];
};

void ktap_parse(const char *line, size_t len, struct ktap_parsed *out);

/* How many of len bytes of UTF-8 text to keep so that at most room are left and no character is cut. */
size_t ktap_cut(const char *text, size_t len, size_t room);
