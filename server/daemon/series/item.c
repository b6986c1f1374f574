#include "server/daemon/series/item.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/series/body.h"
#include "server/daemon/series/canonical.h"
#include "server/daemon/series/diff.h"
#include "server/daemon/series/mail.h"
#include "server/daemon/series/series.h"

#include <string.h>

/* A mail on its way to be an item. */
struct work {
	struct mail mail;
	struct body body;
	struct diff diff;
	char *name, *address; /* of who wrote the patch: owned */
	char *date;           /* owned, or NULL */
	int64_t date_us;
};

static void work_release(struct work *w)
{
	diff_release(&w->diff);
	body_release(&w->body);
	mail_release(&w->mail);
	free(w->name);
	free(w->address);
	free(w->date);
}

/* Whoever sends a patch need not have written it: a "From:" in the text outranks the header, as for git. */
static void who_and_when(struct work *w)
{
	const struct body *body = &w->body;

	if (!body->from || !mail_address(body->from, &w->name, &w->address)) {
		w->name = xstrdup(w->mail.name);
		w->address = xstrdup(w->mail.address);
	}
	if (body->date && mail_date(body->date, &w->date, &w->date_us))
		return;
	w->date = w->mail.date ? xstrdup(w->mail.date) : NULL;
	w->date_us = w->mail.date_us;
}

/* A subject in the text is the commit's; the number of the patch stays the mail's. */
static void subject_read(const struct work *w, struct subject *subject)
{
	struct subject said;

	subject_parse(w->mail.subject, subject);
	if (!w->body.subject)
		return;
	subject_parse(w->body.subject, &said);
	free(subject->title);
	subject->title = said.title;
	said.title = NULL;
	subject_release(&said);
}

static char *what_of(size_t number, const char *subject)
{
	SCOPED_STR text = complain_text(subject, strlen(subject));

	return xasprintf("mail %zu \"%s\"", number, text);
}

static enum item_kind kind_of(const struct work *w, const struct item *item, bool alone,
                              const struct complain *complain)
{
	const struct subject *s = &item->subject;

	if (s->reply)
		return ITEM_OTHER;
	if (s->total > 0 && s->part == 0)
		return ITEM_COVER;
	if (w->diff.files > 0)
		return ITEM_PATCH;
	/* An answer that changed the subject. */
	if (!alone && !s->patch && w->mail.answers)
		return ITEM_OTHER;
	complain_at(complain, 0, s->patch ? "has no diff" : "is no patch: it has no diff");
	return ITEM_WRONG;
}

static void canonical_make(const struct work *w, const struct subject *subject,
                           struct canonical *out)
{
	canonical_write(&w->mail, &w->body, subject, w->name, w->address, w->date, &w->diff, out);
}

static void patch_finish(const struct work *w, struct item *item, const struct complain *complain)
{
	struct canonical canonical;

	canonical_make(w, &item->subject, &canonical);
	if (canonical.len > SERIES_PATCH_MAX) {
		complain_at(complain, 0, "has %zu bytes as a patch; at most %zu are taken",
		            canonical.len, SERIES_PATCH_MAX);
		item->kind = ITEM_WRONG;
	}
	item->size = (int64_t)canonical.len;
	sha256_hex(canonical.text, canonical.len, item->sha256);
	sha256_hex(canonical.text + canonical.diff, canonical.len - canonical.diff,
	           item->diff_sha256);
	canonical_release(&canonical);
}

/* All of the cover letter's text: what is behind a "---" in it belongs to it. */
static void cover_finish(const struct work *w, struct item *item, const struct complain *complain)
{
	SCOPED_STR rest = mail_utf8(w->body.rest, w->body.rest_len, w->mail.charset);

	item->cover = xasprintf("%s%s%s", w->body.message, *rest ? "\n" : "", rest);
	if (strlen(item->cover) > SERIES_COVER_MAX) {
		complain_at(complain, 0, "has more than %zu KiB of text for a cover letter",
		            SERIES_COVER_MAX >> 10);
		item->kind = ITEM_WRONG;
	}
}

static void fields_take(struct work *w, struct item *item)
{
	item->author = *w->name ? xasprintf("%s <%s>", w->name, w->address) : xstrdup(w->address);
	item->address = xstrdup(w->address);
	item->message_id = take_str(&w->mail.message_id);
	item->change_id = take_str(&w->body.change_id);
	memcpy(item->base_commit, w->body.base_commit, sizeof(item->base_commit));
	item->date_us = w->date_us;
}

static void work_read(struct work *w, struct item *item, bool alone, struct complain *complain)
{
	size_t before = complain->errors->count;

	body_read(&w->mail, &w->body);
	who_and_when(w);
	subject_read(w, &item->subject);
	if (!item->subject.reply && (item->subject.total == 0 || item->subject.part > 0))
		diff_read(w->body.rest, w->body.rest_len, w->body.rest_line, &w->diff, complain);
	item->kind = kind_of(w, item, alone, complain);
	if (item->kind != ITEM_OTHER && !*item->subject.title)
		complain_at(complain, 0, "has no subject");
	if (complain->errors->count > before)
		item->kind = ITEM_WRONG;
	if (item->kind == ITEM_PATCH)
		patch_finish(w, item, complain);
	if (item->kind == ITEM_COVER)
		cover_finish(w, item, complain);
	fields_take(w, item);
}

void item_read(const struct mbox_mail *source, size_t number, bool alone, const char *pointer,
               struct jx_errors *errors, struct item *item)
{
	struct complain complain = {.errors = errors, .pointer = pointer};
	struct work w = {0};
	struct err err = {0};

	*item = (struct item){.number = number, .kind = ITEM_WRONG, .source = *source};
	if (mail_read(source->text, source->len, source->quoted, &w.mail, &err) < 0) {
		item->what = xasprintf("mail %zu", number);
		complain.what = item->what;
		complain_at(&complain, 0, "%s", err.text);
		return;
	}
	complain.what = item->what = what_of(number, w.mail.subject);
	work_read(&w, item, alone, &complain);
	work_release(&w);
}

void item_release(struct item *item)
{
	subject_release(&item->subject);
	free(item->what);
	free(item->author);
	free(item->address);
	free(item->message_id);
	free(item->change_id);
	free(item->cover);
	*item = (struct item){0};
}

char *item_mail(const struct mbox_mail *source, size_t *len)
{
	struct jx_errors errors = {0};
	struct complain complain = {.errors = &errors, .pointer = "", .what = ""};
	struct canonical canonical = {0};
	struct subject subject;
	struct work w = {0};

	if (mail_read(source->text, source->len, source->quoted, &w.mail, NULL) < 0)
		return NULL;
	body_read(&w.mail, &w.body);
	who_and_when(&w);
	subject_read(&w, &subject);
	diff_read(w.body.rest, w.body.rest_len, w.body.rest_line, &w.diff, &complain);
	if (jx_ok(&errors) && w.diff.files > 0)
		canonical_make(&w, &subject, &canonical);
	jx_errors_release(&errors);
	subject_release(&subject);
	work_release(&w);
	*len = canonical.len;
	return canonical.text;
}
