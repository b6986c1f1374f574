#include "server/daemon/http/series_files.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/upload.h"
#include "server/daemon/series/patchdiff.h"
#include "server/daemon/series/series.h"
#include "server/daemon/store/files.h"
#include "server/daemon/store/series.h"
#include "server/daemon/store/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

/* ---- The mails that came ---- */

/* The size of a file that is whole, or -1 with *err (ERR_NOTFOUND). */
static int64_t size_find(const struct http_context *ctx, const char *sha256, struct err *err)
{
	struct db *db = store_read_begin(ctx->store);
	int64_t size = file_size(db, sha256, err);

	store_read_end(ctx->store, db);
	return size;
}

int series_text_open(const struct http_context *ctx, const char *sha256, struct series_text *text,
                     struct jx_errors *errors, struct err *err)
{
	int64_t size = sha256_valid(sha256) ? size_find(ctx, sha256, err)
	                                    : err_set(err, ERR_NOTFOUND, "no SHA-256");
	SCOPED_STR path = upload_path(ctx->state_dir, sha256);
	SCOPED_FD fd = -1;

	if (size <= 0) {
		if (size == 0 || err->kind == ERR_NOTFOUND)
			jx_complain(errors, "/file", "%s",
			            size == 0 ? "is empty" : "no such file: upload it first");
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_IO, "%s", path);
	/* Files in the store never change. */
	text->map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text->map == MAP_FAILED) {
		text->map = NULL;
		return err_errno(err, ERR_IO, "%s", path);
	}
	text->text = text->map;
	text->len = (size_t)size;
	return 0;
}

void series_text_close(struct series_text *text)
{
	if (text->map)
		(void)munmap(text->map, text->len);
	*text = (struct series_text){0};
}

/* ---- The patches that are kept ---- */

static int patch_write(const struct http_context *ctx, const struct series_patch *patch,
                       struct err *err)
{
	SCOPED_STR text = series_mail(patch);
	struct upload *upload;
	int64_t received;
	int rc;

	if (!text)
		return err_set(err, ERR_IO, "a patch reads otherwise than it did");
	upload = upload_begin(ctx->state_dir, patch->sha256, 0, true, &received, err);
	if (!upload)
		return -1;
	/* upload_finish() verifies that this is the mail that was hashed when it was checked. */
	rc = upload_write(upload, text, (size_t)patch->size, err);
	if (rc == 0)
		rc = upload_finish(upload, err);
	if (rc < 0)
		upload_drop(upload);
	upload_end(upload);
	return rc;
}

int series_files_keep(const struct http_context *ctx, const struct series_revision *r,
                      struct err *err)
{
	for (size_t i = 0; i < r->patches_count; i++) {
		if (size_find(ctx, r->patches[i].sha256, err) >= 0)
			continue;
		if (err->kind != ERR_NOTFOUND || patch_write(ctx, &r->patches[i], err) < 0)
			return -1;
	}
	return 0;
}

static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

void series_files_begin(void)
{
	(void)pthread_mutex_lock(&reading);
}

void series_files_end(void)
{
	(void)pthread_mutex_unlock(&reading);
}

int series_files_add(struct db *db, const struct series_revision *r, const char *name,
                     struct series_place *place, bool *fresh, int64_t now_us, struct err *err)
{
	if (series_place(db, r, name, place, err) < 0)
		return -1;
	*fresh = place->revision == 0;
	for (size_t i = 0; *fresh && i < r->patches_count; i++)
		if (file_put(db, r->patches[i].sha256, r->patches[i].size, now_us, err) < 0)
			return -1;
	return *fresh ? series_add(db, r, place, now_us, err) : 0;
}

/* ---- Sending them ---- */

struct mails {
	char *state_dir; /* owned */
	json_t *patches; /* owned */
	size_t next;     /* patch to open */
	int fd;          /* owned: of the open one, or -1 */
};

static int mails_open(struct mails *m)
{
	json_t *patch = json_array_get(m->patches, m->next++);
	SCOPED_STR path =
		upload_path(m->state_dir, json_string_value(json_object_get(patch, "sha256")));

	m->fd = open(path, O_RDONLY | O_CLOEXEC);
	return m->fd < 0 ? -1 : 0;
}

static ssize_t mails_next(void *arg, char *buf, size_t max)
{
	struct mails *m = arg;
	ssize_t n = 0;

	while (n == 0) {
		if (m->fd < 0 && m->next == json_array_size(m->patches))
			return 0;
		if (m->fd < 0 && mails_open(m) < 0)
			return -1;
		n = read(m->fd, buf, max);
		if (n == 0) {
			(void)close(m->fd);
			m->fd = -1;
		}
	}
	return n;
}

static void mails_end(void *arg)
{
	struct mails *m = arg;

	if (m->fd >= 0)
		(void)close(m->fd);
	json_decref(m->patches);
	free(m->state_dir);
	free(m);
}

int series_files_reply(struct http_req *req, json_t *patches)
{
	struct mails *m = xcalloc(1, sizeof(*m));
	struct http_stream stream = {mails_next, mails_end, m};

	m->state_dir = xstrdup(req->ctx->state_dir);
	m->patches = patches;
	m->fd = -1;
	/* Not text/plain: a diff is in the charset of its files. */
	return http_reply_stream(req, 200, "application/mbox", &stream);
}

/* ---- What changed ---- */

struct loaded {
	struct patchdiff_patch *patches; /* owned */
	char **texts;                    /* owned: theirs */
	size_t count;
};

static void loaded_release(struct loaded *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->texts[i]);
	free((void *)l->texts);
	free(l->patches);
}

static int load(struct http_req *req, json_t *patches, struct loaded *l, struct err *err)
{
	json_t *patch;
	size_t i;

	l->patches = xcalloc(json_array_size(patches) + 1, sizeof(*l->patches));
	l->texts = (char **)xcalloc(json_array_size(patches) + 1, sizeof(*l->texts));
	json_array_foreach(patches, i, patch)
	{
		SCOPED_STR path = upload_path(req->ctx->state_dir,
		                              json_string_value(json_object_get(patch, "sha256")));
		struct patchdiff_patch *p = &l->patches[i];

		p->subject = json_string_value(json_object_get(patch, "subject"));
		p->text = l->texts[i] = fs_read_file(path, SERIES_PATCH_MAX, &p->len, err);
		if (!p->text)
			return -1;
		l->count = i + 1;
	}
	return 0;
}

static int64_t size_of(json_t *patches)
{
	int64_t size = 0;
	json_t *patch;
	size_t i;

	json_array_foreach(patches, i, patch)
	{
		size += json_integer_value(json_object_get(patch, "size"));
	}
	return size;
}

/* A diff is in the charset of its files; a reply of text is UTF-8. */
static int reply_text(struct http_req *req, char *text, size_t len)
{
	size_t room = len * 3 + 1, used;
	char *clean = xcalloc(room, 1);
	size_t have = utf8_clean(text, len, clean, room, &used);

	free(text);
	return http_reply_text(req, 200, "text/plain; charset=utf-8", clean, have);
}

static int range_diff_reply(struct http_req *req, const struct series_diff *d, struct err *err)
{
	SCOPED_STR path = upload_path(req->ctx->state_dir, d->range_diff);
	size_t len;
	char *text = fs_read_file(path, (size_t)SERIES_DIFF_MAX, &len, err);

	return text ? reply_text(req, text, len) : -1;
}

int series_diff_reply(struct http_req *req, const struct series_diff *d, struct err *err)
{
	struct loaded from = {0}, to = {0};
	char from_label[32], to_label[32], *text;
	size_t len;
	int rc = -1;

	if (*d->range_diff)
		return range_diff_reply(req, d, err);
	if (size_of(d->from_patches) + size_of(d->to_patches) > SERIES_DIFF_MAX)
		return err_set(err, ERR_TOOBIG,
		               "the patches of both have more than %" PRId64 " MiB",
		               SERIES_DIFF_MAX >> 20);
	(void)snprintf(from_label, sizeof(from_label), "v%" PRId64, d->from);
	(void)snprintf(to_label, sizeof(to_label), "v%" PRId64, d->to);
	if (load(req, d->from_patches, &from, err) == 0 &&
	    load(req, d->to_patches, &to, err) == 0) {
		struct patchdiff_side a = {from_label, from.patches, from.count};
		struct patchdiff_side b = {to_label, to.patches, to.count};

		text = patchdiff_text(&a, &b, &len);
		rc = reply_text(req, text, len);
	}
	loaded_release(&from);
	loaded_release(&to);
	return rc;
}
