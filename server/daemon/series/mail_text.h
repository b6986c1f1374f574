/* mail_text.h - the text of a mail's part as lines: line ends, format=flowed (RFC 3676), mboxrd. For mail.c. */
#pragma once
#include <gmime/gmime.h>
#include <stddef.h>

struct mail_text {
	const unsigned char *bytes;
	size_t len;
	const char *format, *delsp; /* of the content type; NULL: not said */
};

/* Append the part's lines to out, each with its newline. Where each line ends with CR LF, that is the mail's way, and the CR
 * goes; else a CR belongs to the patch. */
void mail_text_lines(const struct mail_text *part, GByteArray *out);

/* Take one '>' from each line that is "From " behind a number of them. */
void mail_text_unquote(GByteArray *text);
