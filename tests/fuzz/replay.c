/* replay.c - a main() for fuzz targets without libFuzzer: gives each file of the folders named to the target. A
 * folder without files is an error, so that a replay cannot pass by finding nothing. */
#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_folder(const char *path)
{
	SCOPED_DIR dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!dir) {
		perror(path);
		return -1;
	}
	while ((entry = readdir(dir))) {
		SCOPED_STR file = xasprintf("%s/%s", path, entry->d_name);
		SCOPED_STR text = NULL;
		struct err err;
		size_t len = 0;

		if (entry->d_name[0] == '.')
			continue;
		text = fs_read_file(file, (size_t)64 * 1024 * 1024, &len, &err);
		if (!text) {
			(void)fprintf(stderr, "%s\n", err.text);
			return -1;
		}
		(void)LLVMFuzzerTestOneInput((const uint8_t *)text, len);
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int count = replay_folder(argv[i]);

		if (count <= 0) {
			(void)fprintf(stderr, "%s: no input to replay\n", argv[i]);
			return 1;
		}
		(void)printf("%s: %d inputs\n", argv[i], count);
	}
	return argc < 2;
}
