#include "server/daemon/series/canonical.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/series/body.h"
#include "server/daemon/series/diff.h"
#include "server/daemon/series/mail.h"
#include "server/daemon/series/subject.h"

#include <string.h>

/* Marks the beginning of a mail; the time is git's and b4's habit. */
#define FROM_LINE "From cohort@z Thu Jan  1 00:00:00 1970\n"

/* A display name as a header has it: quoted where it has marks that mean something there. */
static void author_put(FILE *f, const char *name, const char *address)
{
	(void)fputs("From: ", f);
	if (!*name) {
		(void)fprintf(f, "%s\n", address);
		return;
	}
	if (!strpbrk(name, "\"(),:;<>@[]\\.")) {
		(void)fprintf(f, "%s <%s>\n", name, address);
		return;
	}
	(void)fputc('"', f);
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			(void)fputc('\\', f);
		(void)fputc(*name, f);
	}
	(void)fprintf(f, "\" <%s>\n", address);
}

/* Between "---" and the diff people write what changed since the last version. Lines that a diff could begin with stay
 * out. */
static bool note_good(const char *line, size_t len)
{
	static const char *const bad[] = {
		"diff ", "---",  "+++",     "@@ ",   "Index:",  "From ",      "GIT ",  "Binary ",
		"old ",  "new ", "deleted", "copy ", "rename ", "similarity", "index "};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strncmp(line, bad[i], strlen(bad[i])) == 0)
			return false;
	return len > 0;
}

/* Where the diff or the signature begins, there the notes end. */
static bool note_ends(const char *line, size_t len)
{
	return strncmp(line, "diff -", 6) == 0 || strncmp(line, "Index: ", 7) == 0 ||
	       strncmp(line, "--- ", 4) == 0 || (len == 3 && strncmp(line, "-- ", 3) == 0);
}

static void notes_put(FILE *f, const struct mail *mail, const struct body *body)
{
	SCOPED_STR notes = NULL;
	size_t first = strcspn(body->rest_len ? body->rest : "", "\n"), len = 0;

	if (body->rest_len == 0 || strncmp(body->rest, "---", 3) != 0 ||
	    note_ends(body->rest, first))
		return;
	/* As bytes, so that a charset cannot hide where they end. */
	while (len < body->rest_len &&
	       (len == 0 || !note_ends(body->rest + len, strcspn(body->rest + len, "\n"))))
		len += strcspn(body->rest + len, "\n") + 1;
	if (len > body->rest_len)
		len = body->rest_len;
	notes = mail_utf8(body->rest, len, mail->charset);
	for (const char *at = notes + strcspn(notes, "\n"); *at;) {
		size_t n;

		at++;
		n = strcspn(at, "\n");
		if (note_good(at, n))
			(void)fprintf(f, "%.*s\n", (int)n, at);
		at += n;
	}
}

/* The first line of the message must not be taken for a header: then headers, which end with an empty line, are in front. */
static void message_put(FILE *f, const char *message, const char *author, const char *address)
{
	if (body_is_header(message, strcspn(message, "\n"))) {
		author_put(f, author, address);
		(void)fputc('\n', f);
	}
	(void)fputs(message, f);
	if (*message)
		(void)fputc('\n', f);
}

void canonical_write(const struct mail *mail, const struct body *body,
                     const struct subject *subject, const char *author, const char *address,
                     const char *date, const struct diff *diff, struct canonical *out)
{
	SCOPED_STR prefix = subject_prefix(subject);
	FILE *f;

	*out = (struct canonical){0};
	f = open_memstream(&out->text, &out->len);
	if (!f)
		abort();
	(void)fputs(FROM_LINE, f);
	author_put(f, author, address);
	if (date)
		(void)fprintf(f, "Date: %s\n", date);
	(void)fprintf(f, "Subject: %s %s\n", prefix, subject->title);
	if (mail->message_id)
		(void)fprintf(f, "Message-ID: <%s>\n", mail->message_id);
	(void)fputs("MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
	            "Content-Transfer-Encoding: 8bit\n\n",
	            f);
	message_put(f, body->message, author, address);
	(void)fputs("---\n", f);
	notes_put(f, mail, body);
	(void)fflush(f);
	out->diff = out->len;
	(void)fwrite(diff->text ? diff->text : "", 1, diff->len, f);
	(void)fputc('\n', f);
	(void)fclose(f);
}

void canonical_release(struct canonical *canonical)
{
	free(canonical->text);
	*canonical = (struct canonical){0};
}
