#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/series/item.h"
#include "server/daemon/series/series.h"

#include <inttypes.h>
#include <string.h>

struct items {
	struct item *list; /* owned */
	size_t count;
	struct complain complain;                     /* about the file as such */
	const struct item *order[SERIES_PATCHES_MAX]; /* borrowed: the patches */
	size_t total;
	const struct item *cover; /* borrowed, or NULL */
};

static bool is_part(const struct item *item)
{
	return item->kind == ITEM_PATCH || item->kind == ITEM_COVER;
}

static int64_t version_of(const struct item *item)
{
	return item->subject.version ? item->subject.version : 1;
}

/* ---- The file ---- */

static void items_read(struct items *items, const char *text, size_t len)
{
	struct mbox mbox;
	struct mbox_mail mail;
	size_t count = 0;

	mbox_begin(&mbox, text, len);
	while (count <= SERIES_MAILS_MAX && mbox_next(&mbox, &mail))
		count++;
	if (count == 0)
		complain_at(&items->complain, 0, "there is no mail in it");
	if (count > SERIES_MAILS_MAX) {
		complain_at(&items->complain, 0, "more than %d mails", SERIES_MAILS_MAX);
		return;
	}
	items->list = xcalloc(count + 1, sizeof(*items->list));
	mbox_begin(&mbox, text, len);
	while (items->count < count && mbox_next(&mbox, &mail)) {
		item_read(&mail, items->count + 1, count == 1, items->complain.pointer,
		          items->complain.errors, &items->list[items->count]);
		items->count++;
	}
}

static void items_release(struct items *items)
{
	for (size_t i = 0; i < items->count; i++)
		item_release(&items->list[i]);
	free(items->list);
}

/* ---- Which version ---- */

static bool version_there(const struct items *items, int64_t version)
{
	for (size_t i = 0; i < items->count; i++)
		if (is_part(&items->list[i]) && version_of(&items->list[i]) == version)
			return true;
	return false;
}

/* Leave one version. Returns it; 0 after a complaint. */
static int64_t version_pick(struct items *items, int64_t wanted)
{
	const struct item *first = NULL;

	for (size_t i = 0; i < items->count; i++) {
		struct item *item = &items->list[i];

		if (!is_part(item))
			continue;
		if (wanted && version_of(item) != wanted && version_there(items, wanted)) {
			item->kind = ITEM_OTHER;
			continue;
		}
		if (!first)
			first = item;
		if (version_of(item) == version_of(first))
			continue;
		complain_at(&items->complain, 0,
		            "%s is v%" PRId64 ", %s is v%" PRId64
		            ": send one version at a time, or say which",
		            first->what, version_of(first), item->what, version_of(item));
		return 0;
	}
	if (!first)
		return 0;
	return wanted ? wanted : version_of(first);
}

/* ---- Order ---- */

static bool same_mail(const struct item *a, const struct item *b)
{
	return (*a->sha256 && strcmp(a->sha256, b->sha256) == 0) ||
	       (a->message_id && b->message_id && strcmp(a->message_id, b->message_id) == 0);
}

static void cover_take(struct items *items, const struct item *item)
{
	if (items->cover && !same_mail(items->cover, item))
		complain_at(&items->complain, 0, "%s and %s are both the cover letter",
		            items->cover->what, item->what);
	if (!items->cover)
		items->cover = item;
}

static void patch_take(struct items *items, const struct item *item)
{
	bool numbered = item->subject.total > 0;
	size_t at = numbered ? (size_t)item->subject.part - 1 : items->total;

	if (at >= SERIES_PATCHES_MAX) {
		complain_at(&items->complain, 0, "%s: more than %d patches", item->what,
		            SERIES_PATCHES_MAX);
		return;
	}
	if (items->order[at]) {
		complain_at(&items->complain, 0, "%s and %s are both part %zu",
		            items->order[at]->what, item->what, at + 1);
		return;
	}
	items->order[at] = item;
	if (!numbered)
		items->total++;
}

/* A mail that came by two lists is there twice. */
static bool came_before(const struct items *items, const struct item *item)
{
	for (const struct item *one = items->list; one < item; one++)
		if (one->kind == item->kind && same_mail(one, item))
			return true;
	return false;
}

/* Are all parts numbered "i/n" with the same n, or none? Sets total. */
static bool total_find(struct items *items)
{
	const struct item *first = NULL;

	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->list[i];

		if (!is_part(item))
			continue;
		if (!first)
			first = item;
		if (item->subject.total == first->subject.total)
			continue;
		complain_at(&items->complain, 0, "%s and %s do not number the patches alike",
		            first->what, item->what);
		return false;
	}
	if (first && first->subject.total > SERIES_PATCHES_MAX) {
		complain_at(&items->complain, 0, "%s: more than %d patches", first->what,
		            SERIES_PATCHES_MAX);
		return false;
	}
	items->total = first ? (size_t)first->subject.total : 0;
	return first != NULL;
}

static void items_order(struct items *items)
{
	if (!total_find(items))
		return;
	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->list[i];

		if (item->kind == ITEM_COVER)
			cover_take(items, item);
		if (item->kind == ITEM_PATCH && !came_before(items, item))
			patch_take(items, item);
	}
	for (size_t i = 0; i < items->total; i++)
		if (!items->order[i])
			complain_at(&items->complain, 0, "part %zu/%zu is missing", i + 1,
			            items->total);
}

/* ---- The revision ---- */

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void patch_make(const struct item *item, struct series_patch *patch)
{
	patch->subject = xstrdup(item->subject.title);
	patch->author = xstrdup(item->author);
	patch->message_id = copy(item->message_id);
	memcpy(patch->sha256, item->sha256, sizeof(patch->sha256));
	memcpy(patch->diff_sha256, item->diff_sha256, sizeof(patch->diff_sha256));
	patch->size = item->size;
	patch->source = item->source.text;
	patch->source_len = item->source.len;
	patch->quoted = item->source.quoted;
}

static void tags_take(const struct item *item, struct series_revision *r)
{
	if (!r->change_id)
		r->change_id = copy(item->change_id);
	if (!*r->base_commit)
		memcpy(r->base_commit, item->base_commit, sizeof(r->base_commit));
}

/* sha256sum *.patch | cut -c-64 | sha256sum | cut -c-64 */
static void hash_make(struct series_revision *r)
{
	SCOPED_STR text = xcalloc(r->patches_count + 1, SHA256_HEX);

	for (size_t i = 0; i < r->patches_count; i++)
		(void)snprintf(text + i * SHA256_HEX, SHA256_HEX + 1, "%s\n", r->patches[i].sha256);
	sha256_hex(text, r->patches_count * SHA256_HEX, r->patchset_hash);
}

static void revision_make(const struct items *items, struct series_revision *r)
{
	const struct item *head = items->cover ? items->cover : items->order[0];

	/* Each part is there: items_order() would have complained. */
	if (!head)
		return;
	r->title = xstrdup(head->subject.title);
	r->author = xstrdup(head->author);
	r->address = xstrdup(head->address);
	r->message_id = copy(head->message_id);
	r->cover = xstrdup(items->cover ? items->cover->cover : "");
	r->rfc = head->subject.rfc;
	r->date_us = head->date_us;
	r->patches = xcalloc(items->total, sizeof(*r->patches));
	r->patches_count = items->total;
	tags_take(head, r);
	for (size_t i = 0; i < items->total && items->order[i]; i++) {
		patch_make(items->order[i], &r->patches[i]);
		tags_take(items->order[i], r);
	}
	for (size_t i = 0; i < items->count; i++)
		r->ignored += items->list[i].kind == ITEM_OTHER;
	hash_make(r);
}

bool series_read(const char *text, size_t len, int64_t version, const char *pointer,
                 struct series_revision *revision, struct jx_errors *errors)
{
	struct items items = {
		.complain = {.errors = errors, .pointer = pointer, .what = "the mails"}};

	*revision = (struct series_revision){0};
	items_read(&items, text, len);
	if (jx_ok(errors)) {
		revision->version = version_pick(&items, version);
		if (jx_ok(errors))
			items_order(&items);
		if (jx_ok(errors) && items.total == 0)
			complain_at(&items.complain, 0, "no patch is among them");
	}
	if (jx_ok(errors))
		revision_make(&items, revision);
	items_release(&items);
	return jx_ok(errors);
}

void series_release(struct series_revision *r)
{
	for (size_t i = 0; i < r->patches_count; i++) {
		free(r->patches[i].subject);
		free(r->patches[i].author);
		free(r->patches[i].message_id);
	}
	free(r->patches);
	free(r->title);
	free(r->author);
	free(r->address);
	free(r->message_id);
	free(r->change_id);
	free(r->cover);
	*r = (struct series_revision){0};
}

char *series_mail(const struct series_patch *patch)
{
	struct mbox_mail source = {patch->source, patch->source_len, patch->quoted};
	size_t len;

	return item_mail(&source, &len);
}

char *series_subject_key(const struct series_revision *r)
{
	return xasprintf("subject %s by %s", r->title, r->address);
}

char *series_short_name(const struct series_revision *r)
{
	const char *id = r->change_id, *first = id ? strchr(id, '-') : NULL;
	const char *last = id ? strrchr(id, '-') : NULL;
	SCOPED_STR name = NULL;

	/* "20260101-name-abc123" as b4 makes it */
	if (first && last > first && strspn(id, "0123456789") == (size_t)(first - id))
		name = xstrndup(first + 1, (size_t)(last - first - 1));
	return subject_slug(name ? name : r->title);
}
