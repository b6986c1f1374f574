/* mbox.h - cut a mailbox file into its mails, as git mailsplit does. Pure; nothing is copied. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct mbox {
	const char *at, *end;
};

/* One mail: len bytes at text, without its "From " line. */
struct mbox_mail {
	const char *text;
	size_t len;
	bool quoted; /* an mboxrd: one '>' in front of each "From " in its text is not the mail's */
};

/* A file that does not begin with a "From " line is one mail. The text is borrowed. */
void mbox_begin(struct mbox *mbox, const char *text, size_t len);
bool mbox_next(struct mbox *mbox, struct mbox_mail *mail);

/* Is the line (without its newline) one that begins a mail: "From someone Thu Jan  1 00:00:00 1970"? */
bool mbox_from_line(const char *line, size_t len);
