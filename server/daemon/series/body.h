/* body.h - the text of a patch mail in its parts, as git mailinfo cuts it: headers in the text, the message up to "---" or
 * the diff, and what is behind that. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct mail;

struct body {
	/* What "From:", "Subject:" and "Date:" at the top of the text say, as UTF-8; owned, NULL where it is not there. RFC 2047
	 * words are decoded but for `from`, which is for mail_address(). */
	char *from, *subject, *date;
	char *message;        /* owned, clean UTF-8, no empty lines around; "" when there is none */
	const char *rest;     /* of the mail's text: what is behind the message */
	size_t rest_len;      /* 0: there is no break */
	size_t rest_line;     /* number of its first line; the first of the text is 1 */
	char *change_id;      /* owned: of "change-id:", as b4 writes it, or NULL */
	char base_commit[65]; /* of "base-commit:"; "" when there is none */
};

/* The mail must outlive the body. The caller calls body_release(). */
void body_read(const struct mail *mail, struct body *body);
void body_release(struct body *body);

/* Would git end the message at this line, or begin another mail? len without the newline. */
bool body_ends_message(const char *line, size_t len);

/* Would git take this line, at the top of a text, for a header? */
bool body_is_header(const char *line, size_t len);
