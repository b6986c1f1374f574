/* A file of mails, from its bytes to a revision: whatever comes, there are patches or there are complaints, never both; and
 * the mail that is kept of a patch is one mail that says the same diff again, all of whose paths are good. */
#include "common/jx.h"
#include "common/scoped.h"
#include "server/daemon/series/item.h"
#include "server/daemon/series/mbox.h"
#include "server/daemon/series/series.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* git takes these, wherever the text of a diff has them at the beginning of a line, for something to act on. */
static void lines_check(const char *diff)
{
	static const char *const never[] = {"GIT binary patch", "Binary files ", "new file mode 12",
	                                    "new file mode 16", "new mode 12",   "--- a/../",
	                                    "+++ b/../",        "+++ b//",       "rename to /",
	                                    "rename to ../",    "+++ b/.git/"};

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		const char *at = strstr(diff, never[i]);

		/* In a hunk lines begin with a space, + or -; of those "--- a/.." and "+++ b/.." may be content. */
		while (at && (at == diff || at[-1] != '\n' || strchr("+-", *at)))
			at = strstr(at + 1, never[i]);
		if (at)
			abort();
	}
}

static void patch_check(const struct series_patch *patch)
{
	struct jx_errors errors = {0};
	SCOPED_STR text = series_mail(patch);
	struct mbox_mail mail;
	struct mbox mbox;
	struct item item;
	const char *diff;

	if (!text || (int64_t)strlen(text) != patch->size)
		abort();
	mbox_begin(&mbox, text, strlen(text));
	if (!mbox_next(&mbox, &mail))
		abort();
	item_read(&mail, 1, true, "", &errors, &item);
	if (item.kind != ITEM_PATCH || !jx_ok(&errors) ||
	    strcmp(item.diff_sha256, patch->diff_sha256) != 0 || mbox_next(&mbox, &mail))
		abort();
	diff = strstr(text, "\n---\n");
	if (!diff)
		abort();
	lines_check(diff);
	item_release(&item);
	jx_errors_release(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct series_revision revision;
	struct jx_errors errors = {0};
	bool good = series_read((const char *)data, size, 0, "/mbox", &revision, &errors);

	if (good != jx_ok(&errors) || good != (revision.patches_count > 0))
		abort();
	for (size_t i = 0; i < revision.patches_count; i++)
		patch_check(&revision.patches[i]);
	series_release(&revision);
	jx_errors_release(&errors);
	return 0;
}
