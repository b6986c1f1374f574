/* subject.h - what the brackets in front of a patch mail's subject say: "[PATCH RFC v3 2/7] title". Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subject {
	char *title;         /* owned: without brackets, one line, single spaces */
	int64_t version;     /* 0: it says none, which is 1 */
	int64_t part, total; /* of "2/7"; total 0: it says none. 0/7 is a cover letter */
	bool patch;          /* PATCH or RFC in the brackets */
	bool rfc, resend;
	bool reply; /* "Re:" or "Fwd:" in front */
};

/* text is UTF-8. The caller calls subject_release(). */
void subject_parse(const char *text, struct subject *subject);
void subject_release(struct subject *subject);

/* The brackets as this farm writes them: "[PATCH RFC v3 2/7]". The caller frees. */
char *subject_prefix(const struct subject *subject);

/* A short name for addresses, [a-z0-9-], of text; "series" when nothing is left. The caller frees. */
char *subject_slug(const char *text);
