/* mail.h - one mail, decoded: MIME, encodings and charsets are GMime's work (RFC 2045 to 2049). Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define MAIL_MAX ((size_t)16 * 1024 * 1024) /* bytes of one mail as it came: 10 MiB, in base64 */

/* Texts are owned, clean UTF-8 and without control characters, but for `text`. */
struct mail {
	char *name, *address; /* of the sender; name may be "" */
	char *subject;        /* "" when there is none */
	char *message_id;     /* without <>, or NULL */
	bool answers;         /* it has In-Reply-To or References */
	char *date;           /* as RFC 5322 writes it, or NULL */
	int64_t date_us;      /* wall time; 0 with date NULL */
	char *text; /* the bytes of its text parts, one behind the other; lines end with \n; a NUL behind */
	size_t len;    /* of text, which may hold NULs */
	char *charset; /* of text, as the mail says; NULL: none */
};

/* quoted: struct mbox_mail's. 0, and the caller calls mail_release(); or -1 with *err (ERR_INVALID, ERR_TOOBIG). */
int mail_read(const char *text, size_t len, bool quoted, struct mail *mail, struct err *err);
void mail_release(struct mail *mail);

/* "Name <address>" as a header or a "From:" in a text has it. False when there is no address in it; the caller frees both. */
bool mail_address(const char *text, char **name, char **address);

/* A date as a header has it, written as RFC 5322 does. False when it is none that says something of a mail; the caller frees
 * *date. */
bool mail_date(const char *text, char **date, int64_t *us);

/* RFC 2047 words of a header's value as UTF-8. The caller frees. */
char *mail_decode(const char *value);

/* The len bytes of text, which are in charset (NULL: UTF-8), as clean UTF-8 without control characters but tabs and
 * newlines. The caller frees. */
char *mail_utf8(const char *text, size_t len, const char *charset);
