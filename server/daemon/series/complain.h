/* complain.h - complaints about mails: which mail, which line, why. */
#pragma once
#include <stddef.h>

struct jx_errors;

/* Whose text is being read. */
struct complain {
	struct jx_errors *errors;
	const char *pointer; /* of the mails in the request: "/mbox" */
	const char *what;    /* "mail 2 \"[PATCH 1/2] title\"" */
};

/* line: of the mail's text, behind its headers; 0: of the mail as such. */
void complain_at(const struct complain *c, size_t line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Bytes of a stranger as text for a complaint: at most 80, clean UTF-8, without control characters. The caller frees. */
char *complain_text(const char *text, size_t len);
