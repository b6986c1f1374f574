/* mail.h - a mail as text (RFC 5322), newlines as line ends. Pure. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct mail {
	const char *from;
	const json_t *to;                 /* addresses */
	const char *subject, *message_id; /* message_id without <> */
	int64_t date;                     /* wall us */
	const char *body;                 /* UTF-8, a newline behind each line */
};

/* The caller frees it. What of the subject is not ASCII becomes question marks. */
char *mail_text(const struct mail *mail);

/* "a@b, c@d". The caller frees it. */
char *mail_recipients(const json_t *to);
