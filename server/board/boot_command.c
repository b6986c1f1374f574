/* boot_command.c - the lab owner's own command boots the build, which the environment names. This is how QEMU and odd labs
 * boot. Exit status 0: the machine starts. */
#include "server/board/boot.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/board/request.h"

#include <stdio.h>
#include <stdlib.h>

static void command_done(void *arg, int status)
{
	struct boot *b = arg;

	b->busy = false;
	b->failed = status != 0;
	if (status < 0)
		(void)snprintf(b->detail, sizeof(b->detail), "%s took longer than %d s",
		               b->board->boot.command[0], (int)(b->limit_us / 1000000));
	else
		(void)snprintf(b->detail, sizeof(b->detail), "%s: exit status %d%s%s",
		               b->board->boot.command[0], status, *b->said ? ": " : "", b->said);
}

static void command_line(void *arg, const char *text, size_t len)
{
	struct boot *b = arg;
	size_t used;

	if (len > 0)
		(void)utf8_clean(text, len, b->said, sizeof(b->said), &used);
	b->say(b->arg, text, len);
}

/* What goes onto the board, "SHA256 PATH" a line: a boot that makes an image can put it there (docs/BOARDS.md).
 * The caller frees. */
static char *files_text(const struct request *r)
{
	char *text = xstrdup("COHORT_FILES=");

	for (size_t i = 0; i < r->file_count; i++) {
		char *longer = xasprintf("%s%s %s\n", text, r->files[i].sha256, r->files[i].path);

		free(text);
		text = longer;
	}
	return text;
}

static int command_begin(struct boot *b, struct err *err)
{
	static const char *const names[] = {"COHORT_KERNEL", "COHORT_DTB", "COHORT_INITRAMFS",
	                                    "COHORT_MODULES"};
	SCOPED_STR cmdline = xasprintf("COHORT_CMDLINE=%s", b->request->cmdline);
	SCOPED_STR board = xasprintf("COHORT_BOARD=%s", b->board->name);
	SCOPED_STR root = xasprintf("COHORT_ROOT=%s", b->board->root);
	SCOPED_STR wanted = files_text(b->request);
	char *files[BUILD_FILES];
	const char *env[BUILD_FILES + 5] = {0};
	struct child_spec spec = {
		.argv = b->board->boot.command,
		.dir = b->board->dir,
		.env = env,
		.limit_us = b->limit_us,
		.line = command_line,
		.done = command_done,
		.arg = b,
	};
	int rc;

	for (size_t i = 0; i < BUILD_FILES; i++) {
		const char *path = b->request->build[i].path;

		env[i] = files[i] = xasprintf("%s=%s", names[i], path ? path : "");
	}
	env[BUILD_FILES] = cmdline;
	env[BUILD_FILES + 1] = board;
	env[BUILD_FILES + 2] = root;
	env[BUILD_FILES + 3] = wanted;
	b->busy = true;
	b->failed = false;
	rc = child_start(b->child, &spec, err);
	for (size_t i = 0; i < BUILD_FILES; i++)
		free(files[i]);
	if (rc < 0)
		b->busy = false;
	return rc;
}

const struct boot_method boot_command = {
	.id = BOARD_BOOT_COMMAND,
	.starts = true,
	.begin = command_begin,
};
