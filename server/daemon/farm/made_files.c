/* Files that a builder made: cohort-board fetched them into the attempt's directory and said so in the journal. They are
 * copied and hashed once more before the journal's line may count; a crash between the two copies nothing twice. */
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm_private.h"
#include "server/daemon/filestore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static int file_take(struct attempt *a, struct entry *e, const char *state_dir)
{
	const char *sha256 = json_string_value(json_object_get(e->event, "sha256"));
	int64_t size = json_integer_value(json_object_get(e->event, "size"));
	SCOPED_STR from = xasprintf("%s/files/%s", a->dir, sha256);
	struct err err;

	if (filestore_copy(state_dir, from, sha256, size, &err) == 0)
		return 0;
	if (err.kind == ERR_INVALID || err.kind == ERR_NOTFOUND) {
		e->kind = ENTRY_OTHER; /* it is no file of the store */
		attempt_broken(a, "collect-failed", "%s", err.text);
		return 0;
	}
	log_error("run %" PRId64 ": %s", a->follow.ref.run, err.text);
	return -1;
}

int files_take(struct attempt *a, const char *state_dir)
{
	for (size_t i = 0; i < a->follow.count; i++)
		if (a->follow.entries[i].kind == ENTRY_FILE &&
		    file_take(a, &a->follow.entries[i], state_dir) < 0)
			return -1;
	return 0;
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
