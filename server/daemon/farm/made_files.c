/* Files that a builder made: cohort-board fetched them into the attempt's directory and said so in the journal. They are
 * copied and hashed once more before the journal's line may count; a crash between the two copies nothing twice. */
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

void files_want(struct attempt *a, struct keeper *keeper)
{
	for (size_t i = 0; i < a->follow.count; i++) {
		const struct entry *e = &a->follow.entries[i];
		const char *sha256 = json_string_value(json_object_get(e->event, "sha256"));

		if (e->kind != ENTRY_FILE)
			continue;
		SCOPED_STR from = xasprintf("%s/files/%s", a->dir, sha256);

		if (!a->keep)
			a->keep = keep_begin(keeper);
		keep_file(a->keep, from, sha256,
		          json_integer_value(json_object_get(e->event, "size")));
	}
	if (a->keep)
		keep_start(a->keep);
}

/* None of them may become rows: they stay in the journal alone. */
static void files_forget(struct attempt *a)
{
	for (size_t i = 0; i < a->follow.count; i++)
		if (a->follow.entries[i].kind == ENTRY_FILE)
			a->follow.entries[i].kind = ENTRY_OTHER;
}

bool files_ready(struct board *b)
{
	struct attempt *a = b->attempt;
	struct err err;
	enum keep_state state = a->keep ? keep_look(a->keep, &err) : KEEP_DONE;

	if (state == KEEP_BUSY)
		return false;
	keep_drop(a->keep);
	a->keep = NULL;
	if (state == KEEP_REFUSED) {
		files_forget(a);
		attempt_broken(a, "collect-failed", "%s", err.text);
	} else if (state == KEEP_FAILED) {
		log_error("run %" PRId64 ": %s", a->follow.ref.run, err.text);
		attempt_discard(a);
		b->farm->retry_at = b->farm->mono + FARM_RETRY;
		b->hinted = true;
	}
	return true;
}

void files_drop(const char *dir)
{
	SCOPED_STR path = xasprintf("%s/files", dir);
	SCOPED_DIR d = opendir(path);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && unlinkat(dirfd(d), entry->d_name, 0) < 0)
			log_warn("%s/%s: %s", path, entry->d_name, strerror(errno));
	if (d && rmdir(path) < 0 && errno != ENOENT)
		log_warn("%s: %s", path, strerror(errno));
}
