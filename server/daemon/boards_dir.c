#include "server/daemon/boards_dir.h"

#include "common/boardfile.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/boards.h"
#include "server/daemon/store/store.h"

#include <limits.h>
#include <string.h>

struct loaded {
	char **paths;              /* owned, with what they point to */
	struct board_file **files; /* owned */
	size_t count;
	int64_t now_us;
};

static void loaded_release(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->count; i++) {
		free(loaded->paths[i]);
		board_file_free(loaded->files[i]);
	}
	free(loaded->paths);
	free(loaded->files);
}

static int is_board_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int load_one(struct loaded *loaded, const char *path, struct err *err)
{
	struct board_file *file = board_file_load(path, err);

	if (!file)
		return -1;
	for (size_t i = 0; i < loaded->count; i++) {
		if (strcmp(loaded->files[i]->name, file->name) != 0)
			continue;
		(void)err_set(err, ERR_INVALID, "%s: /name: %s is the board of %s already", path,
		              file->name, loaded->paths[i]);
		board_file_free(file);
		return -1;
	}
	loaded->paths = xrealloc(loaded->paths, (loaded->count + 1) * sizeof(char *));
	loaded->files = xrealloc(loaded->files, (loaded->count + 1) * sizeof(struct board_file *));
	loaded->paths[loaded->count] = xstrdup(path);
	loaded->files[loaded->count++] = file;
	return 0;
}

static int load_all(struct loaded *loaded, const char *dir, struct err *err)
{
	SCOPED_STR real = realpath(dir, NULL);
	struct dirent **entries = NULL;
	int count = real ? scandir(real, &entries, is_board_file, alphasort) : -1;
	int rc = 0;

	if (count < 0)
		return err_errno(err, ERR_INVALID, "boards directory %s", dir);
	for (int i = 0; i < count; i++) {
		SCOPED_STR path = xasprintf("%s/%s", real, entries[i]->d_name);

		if (rc == 0)
			rc = load_one(loaded, path, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static int sync_write(struct db *db, void *arg, struct err *err)
{
	const struct loaded *loaded = arg;

	return boards_sync(db, loaded->files, (const char *const *)loaded->paths, loaded->count,
	                   loaded->now_us, err);
}

int boards_dir_load(const char *dir, struct store *store, int64_t now_us, struct err *err)
{
	struct loaded loaded = {.now_us = now_us};
	int rc = load_all(&loaded, dir, err);

	if (rc == 0 && store)
		rc = store_write(store, sync_write, &loaded, err);
	if (rc == 0)
		rc = (int)loaded.count;
	loaded_release(&loaded);
	return rc;
}
