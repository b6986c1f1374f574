#include "server/daemon/series/diff.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/series/diff_private.h"
#include "server/daemon/series/diffpath.h"

#include <string.h>

/* ---- Lines ---- */

bool diff_peek(const struct diff_reader *r, size_t ahead, struct diff_line *line)
{
	const char *at = r->at;

	for (;; ahead--) {
		const char *newline;

		if (at >= r->end)
			return false;
		newline = memchr(at, '\n', (size_t)(r->end - at));
		if (ahead == 0) {
			line->text = at;
			line->len = (size_t)((newline ? newline : r->end) - at);
			return true;
		}
		at = newline ? newline + 1 : r->end;
	}
}

void diff_skip(struct diff_reader *r)
{
	const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));

	r->at = newline ? newline + 1 : r->end;
	r->line++;
}

void diff_put(struct diff_reader *r, const struct diff_line *line)
{
	struct diff *out = r->out;

	while (out->cap - out->len < line->len + 2) {
		out->cap = out->cap ? out->cap * 2 : 4096;
		out->text = xrealloc(out->text, out->cap);
	}
	memcpy(out->text + out->len, line->text, line->len);
	out->len += line->len;
	out->text[out->len++] = '\n';
	out->text[out->len] = '\0';
}

void diff_take(struct diff_reader *r, const struct diff_line *line)
{
	diff_put(r, line);
	diff_skip(r);
}

bool diff_starts(const struct diff_line *line, const char *word)
{
	size_t len = strlen(word);

	return line->len >= len && memcmp(line->text, word, len) == 0;
}

/* ---- One file ---- */

enum role { MODE, MODE_NEW, MODE_DELETED, OLD_NAME, NEW_NAME, PERCENT, INDEX, BINARY };

/* git's extended headers (git-diff(1), "Generating patch text"). */
static const struct row {
	const char *word;
	enum role role;
} rows[] = {
	{"old mode ", MODE},
	{"new mode ", MODE},
	{"new file mode ", MODE_NEW},
	{"deleted file mode ", MODE_DELETED},
	{"copy from ", OLD_NAME},
	{"copy to ", NEW_NAME},
	{"rename from ", OLD_NAME},
	{"rename to ", NEW_NAME},
	{"rename old ", OLD_NAME},
	{"rename new ", NEW_NAME},
	{"similarity index ", PERCENT},
	{"dissimilarity index ", PERCENT},
	{"index ", INDEX},
	{"GIT binary patch", BINARY},
	{"Binary files ", BINARY},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Bits of the rows that name a side. */
#define NAMES_OLD (1U << 4 | 1U << 6 | 1U << 8)
#define NAMES_NEW (1U << 5 | 1U << 7 | 1U << 9)

struct file {
	size_t line;               /* number of its first line */
	struct diff_line header;   /* behind "diff --git " */
	char *old_path, *new_path; /* owned: without a/ and b/; NULL: not said, or /dev/null */
	bool old_null, new_null;   /* /dev/null was said */
	bool created, deleted;
	bool changes;  /* modes, names or hunks */
	unsigned seen; /* rows that were there */
};

static void file_release(struct file *f)
{
	free(f->old_path);
	free(f->new_path);
}

const char *diff_mode_refuse(const char *text, size_t len)
{
	if (len == 6 && (memcmp(text, "100644", 6) == 0 || memcmp(text, "100755", 6) == 0))
		return NULL;
	if (len == 6 && memcmp(text, "120000", 6) == 0)
		return "is a symbolic link: patches are of plain files";
	if (len == 6 && memcmp(text, "160000", 6) == 0)
		return "is a submodule: patches are of plain files";
	return "is not 100644 or 100755";
}

static bool mode_check(struct diff_reader *r, const char *text, size_t len)
{
	const char *why = diff_mode_refuse(text, len);
	SCOPED_STR said = complain_text(text, len);

	if (why)
		complain_at(r->complain, r->line, "mode %s %s", said, why);
	return !why;
}

/* "index 1234abc..5678def 100644": the mode may be there. */
static bool index_check(struct diff_reader *r, const char *text, size_t len)
{
	size_t hashes = 0;

	while (hashes < len && strchr("0123456789abcdef.", text[hashes]) && text[hashes])
		hashes++;
	if (hashes == len)
		return true;
	if (text[hashes] == ' ')
		return mode_check(r, text + hashes + 1, len - hashes - 1);
	complain_at(r->complain, r->line, "a broken index line");
	return false;
}

static bool path_check(struct diff_reader *r, const char *path)
{
	const char *why = diffpath_refuse(path);
	SCOPED_STR said = complain_text(path, strlen(path));

	if (why)
		complain_at(r->complain, r->line, "the path '%s' %s", said, why);
	return !why;
}

/* What is known of a side of the file must be said alike each time. */
static bool name_set(struct diff_reader *r, char **name, const char *path)
{
	if (*name && strcmp(*name, path) != 0) {
		SCOPED_STR before = complain_text(*name, strlen(*name));
		SCOPED_STR now = complain_text(path, strlen(path));

		complain_at(r->complain, r->line, "the file is called '%s' and '%s'", before, now);
		return false;
	}
	if (!*name)
		*name = xstrdup(path);
	return path_check(r, path);
}

/* A name in "rename from NAME": plain, and all of the line. */
static bool bare_name(struct diff_reader *r, char **name, const char *text, size_t len)
{
	size_t used = 0;
	SCOPED_STR path = diffpath_read(text, len, &used);

	if (path && used == len)
		return name_set(r, name, path);
	complain_at(r->complain, r->line, "a broken path");
	return false;
}

static bool row_check(struct diff_reader *r, struct file *f, const struct row *row,
                      const char *text, size_t len)
{
	switch (row->role) {
	case MODE_NEW:
		f->created = true;
		break;
	case MODE_DELETED:
		f->deleted = true;
		break;
	case OLD_NAME:
		f->changes = true;
		return bare_name(r, &f->old_path, text, len);
	case NEW_NAME:
		f->changes = true;
		return bare_name(r, &f->new_path, text, len);
	case PERCENT:
		return true;
	case INDEX:
		return index_check(r, text, len);
	case BINARY:
		complain_at(r->complain, r->line, "a binary diff: patches are text");
		return false;
	case MODE:
		break;
	}
	f->changes = true;
	return mode_check(r, text, len);
}

/* The row of the line, or NULL. */
static const struct row *row_find(const struct diff_line *line)
{
	for (size_t i = 0; i < ROWS; i++)
		if (diff_starts(line, rows[i].word))
			return &rows[i];
	return NULL;
}

static bool headers(struct diff_reader *r, struct file *f)
{
	struct diff_line line;

	while (diff_peek(r, 0, &line)) {
		const struct row *row = row_find(&line);
		unsigned bit = row ? 1U << (row - rows) : 0;
		size_t word = row ? strlen(row->word) : 0;

		if (!row)
			return true;
		if (f->seen & bit) {
			complain_at(r->complain, r->line, "'%s' is there twice", row->word);
			return false;
		}
		f->seen |= bit;
		if (!row_check(r, f, row, line.text + word, line.len - word))
			return false;
		diff_take(r, &line);
	}
	return true;
}

/* The name in "--- a/NAME" or "+++ b/NAME"; *null: /dev/null. behind: what a plain diff may have behind a tab. */
static bool side_read(struct diff_reader *r, const struct diff_line *line, const char *prefix,
                      char **name, bool *null, bool behind)
{
	size_t used = 0;
	SCOPED_STR path = diffpath_read(line->text + 4, line->len - 4, &used);
	SCOPED_STR said = complain_text(line->text + 4, line->len - 4);

	if (!path || (!behind && used < line->len - 4 && used + 1 != line->len - 4)) {
		complain_at(r->complain, r->line, "a broken path");
		return false;
	}
	*null = strcmp(path, "/dev/null") == 0;
	if (*null)
		return true;
	if (path[0] == '/') {
		complain_at(r->complain, r->line, "the path '%s' is absolute", said);
		return false;
	}
	if (strncmp(path, prefix, 2) != 0) {
		complain_at(r->complain, r->line, "the path '%s' must begin with %s", said, prefix);
		return false;
	}
	return name_set(r, name, path + 2);
}

/* "--- " and "+++ ", if they are there. *there says so. */
static bool sides(struct diff_reader *r, struct file *f, bool *there)
{
	struct diff_line from, to;

	*there = diff_peek(r, 0, &from) && diff_starts(&from, "--- ") && diff_peek(r, 1, &to) &&
	         diff_starts(&to, "+++ ");
	if (!*there)
		return true;
	if (!side_read(r, &from, "a/", &f->old_path, &f->old_null, false))
		return false;
	diff_take(r, &from);
	if (!side_read(r, &to, "b/", &f->new_path, &f->new_null, false))
		return false;
	diff_take(r, &to);
	return true;
}

/* The header names both sides, also that which is not there. */
static bool header_check(struct diff_reader *r, struct file *f)
{
	const char *one = f->old_path ? f->old_path : f->new_path;
	SCOPED_STR same = NULL;

	if (f->seen & NAMES_OLD ? !(f->seen & NAMES_NEW) : f->seen & NAMES_NEW) {
		complain_at(r->complain, f->line, "a rename or copy has two paths");
		return false;
	}
	if (!one) {
		same = diffpath_header_same(f->header.text, f->header.len);
		if (!same) {
			complain_at(r->complain, f->line,
			            "the two paths of the file differ, and nothing says why; they "
			            "must begin with a/ and b/");
			return false;
		}
		return path_check(r, same);
	}
	if (diffpath_header_fits(f->header.text, f->header.len, one,
	                         f->new_path ? f->new_path : one))
		return true;
	complain_at(r->complain, f->line,
	            "the paths behind 'diff --git' are others than those "
	            "of the file, or do not begin with a/ and b/");
	return false;
}

static bool null_check(struct diff_reader *r, const struct file *f, bool sides_there)
{
	if (!sides_there || (f->old_null == f->created && f->new_null == f->deleted))
		return true;
	complain_at(
		r->complain, f->line,
		"/dev/null goes with 'new file mode' and 'deleted file mode', and they with it");
	return false;
}

static bool hunks(struct diff_reader *r, struct file *f)
{
	struct diff_line line;

	while (diff_peek(r, 0, &line) && diff_starts(&line, "@@ ")) {
		if (!diff_is_hunk(&line)) {
			complain_at(r->complain, r->line, "a broken hunk header");
			return false;
		}
		if (!diff_hunk(r))
			return false;
		f->changes = true;
	}
	return true;
}

static bool git_file(struct diff_reader *r, struct file *f)
{
	struct diff_line line;
	size_t before;
	bool there;

	if (!diff_peek(r, 0, &line))
		return false;
	f->header = (struct diff_line){line.text + 11, line.len - 11};
	diff_take(r, &line);
	if (!headers(r, f) || !sides(r, f, &there) || !header_check(r, f) ||
	    !null_check(r, f, there))
		return false;
	before = r->line;
	if (!hunks(r, f))
		return false;
	if (there == (r->line != before) && f->changes)
		return true;
	complain_at(r->complain, f->line,
	            there || f->changes ? "the file has no hunk, or a hunk without --- and +++"
	                                : "nothing of the file changes");
	return false;
}

/* ---- A diff that is not git's ---- */

static void text_put(struct diff_reader *r, const char *before, const char *path, const char *after)
{
	SCOPED_STR text = xasprintf("%s%s%s", before, path, after);
	struct diff_line line = {text, strlen(text)};

	diff_put(r, &line);
}

/* As git would have written it: then nothing that is in front can run into it, and git needs not guess by the dates that plain
 * diff puts behind the names. */
static void plain_header_put(struct diff_reader *r, const struct file *f, const char *path)
{
	SCOPED_STR second = xasprintf(" b/%s", path);

	text_put(r, "diff --git a/", path, second);
	if (f->old_null)
		text_put(r, "new file mode 100644", "", "");
	if (f->new_null)
		text_put(r, "deleted file mode 100644", "", "");
	text_put(r, "--- ", f->old_null ? "/dev/null" : "a/", f->old_null ? "" : path);
	text_put(r, "+++ ", f->new_null ? "/dev/null" : "b/", f->new_null ? "" : path);
}

static bool plain_file(struct diff_reader *r, struct file *f)
{
	struct diff_line from, to;
	const char *path;

	if (!diff_peek(r, 0, &from) || !diff_peek(r, 1, &to) ||
	    !side_read(r, &from, "a/", &f->old_path, &f->old_null, true))
		return false;
	diff_skip(r);
	if (!side_read(r, &to, "b/", &f->new_path, &f->new_null, true))
		return false;
	diff_skip(r);
	path = f->old_path ? f->old_path : f->new_path;
	if (!path || (f->new_path && strcmp(path, f->new_path) != 0)) {
		complain_at(r->complain, f->line,
		            path ? "the two paths of the file differ"
		                 : "both sides of the file are /dev/null");
		return false;
	}
	plain_header_put(r, f, path);
	return hunks(r, f);
}

static bool plain_begins(const struct diff_reader *r, const struct diff_line *line)
{
	struct diff_line to, hunk;

	return diff_starts(line, "--- ") && diff_peek(r, 1, &to) && diff_starts(&to, "+++ ") &&
	       diff_peek(r, 2, &hunk) && diff_starts(&hunk, "@@ ");
}

/* ---- All files ---- */

static void stray_check(struct diff_reader *r, const struct diff_line *line)
{
	if (diff_starts(line, "diff --cc ") || diff_starts(line, "diff --combined "))
		complain_at(r->complain, r->line, "the diff of a merge");
	else if (diff_starts(line, "Binary files ") || diff_starts(line, "GIT binary patch"))
		complain_at(r->complain, r->line, "a binary diff: patches are text");
	else if (diff_is_hunk(line))
		complain_at(r->complain, r->line, "a hunk that belongs to no file");
	else
		return;
	r->out->files++;
}

static void one_file(struct diff_reader *r, bool (*read)(struct diff_reader *, struct file *))
{
	struct file f = {.line = r->line};
	struct diff_line line;

	r->out->files++;
	if (!read(r, &f)) {
		/* One complaint a file: what follows may only be an echo of it. */
		while (diff_peek(r, 0, &line) && !diff_starts(&line, "diff --git "))
			diff_skip(r);
	}
	file_release(&f);
}

void diff_read(const char *text, size_t len, size_t line, struct diff *diff,
               const struct complain *complain)
{
	struct diff_reader r = {
		.at = text, .end = text + len, .line = line, .out = diff, .complain = complain};
	const char *nul = memchr(text, '\0', len);
	struct diff_line one;

	*diff = (struct diff){0};
	if (nul) {
		diff->files = 1;
		while (diff_peek(&r, 0, &one) && one.text + one.len < nul)
			diff_skip(&r);
		complain_at(complain, r.line, "a NUL byte: patches are text");
		return;
	}
	while (diff_peek(&r, 0, &one)) {
		if (diff_starts(&one, "diff --git ")) {
			one_file(&r, git_file);
		} else if (plain_begins(&r, &one)) {
			one_file(&r, plain_file);
		} else {
			stray_check(&r, &one);
			diff_skip(&r);
		}
	}
}

void diff_release(struct diff *diff)
{
	free(diff->text);
	*diff = (struct diff){0};
}
