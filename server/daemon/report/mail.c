#include "server/daemon/report/mail.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/report/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *join(const json_t *to, const char *between)
{
	char *text = xstrdup("");
	const json_t *one;
	size_t i;

	json_array_foreach(to, i, one)
	{
		char *longer = xasprintf("%s%s%s", text, i ? between : "", json_string_value(one));

		free(text);
		text = longer;
	}
	return text;
}

char *mail_recipients(const json_t *to)
{
	return join(to, ", ");
}

static char *ascii(const char *text)
{
	char *clean = page_clean(text);

	for (char *p = clean; *p; p++)
		if ((unsigned char)*p >= 0x7f)
			*p = '?';
	return clean;
}

char *mail_text(const struct mail *mail)
{
	SCOPED_STR to = join(mail->to, ",\n "); /* a line each: no line is too long */
	SCOPED_STR subject = ascii(mail->subject);
	time_t s = (time_t)(mail->date / 1000000);
	char date[64], *text = NULL;
	struct tm tm;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* out of memory */
	(void)gmtime_r(&s, &tm);
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	(void)fprintf(out, "From: Cohort <%s>\nTo: %s\nSubject: %s\nDate: %s\nMessage-ID: <%s>\n",
	              mail->from, to, subject, date, mail->message_id);
	(void)fputs("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
	            "Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n",
	            out);
	(void)fputs(mail->body, out);
	(void)fclose(out);
	return text;
}
