/* What of a diff is kept, and what is refused: with its line, and why. */
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/series/complain.h"
#include "server/daemon/series/diff.h"
#include "server/daemon/series/diffpath.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define GIT(name)  "diff --git a/" name " b/" name "\nindex 1234567..89abcde 100644\n"
#define BOTH(name) "--- a/" name "\n+++ b/" name "\n"
#define HUNK       "@@ -1,2 +1,2 @@ int f(void)\n a\n-b\n+c\n"
#define GOOD       GIT("x.c") BOTH("x.c") HUNK

/* The diff as it is read: what is kept; or, when why is not NULL, the one complaint. */
static void check(const char *text, size_t len, const char *kept, const char *why)
{
	struct jx_errors errors = {0};
	struct complain complain = {&errors, "/mbox", "m"};
	struct diff diff;
	const char *detail;

	diff_read(text, len, 1, &diff, &complain);
	detail = json_string_value(json_object_get(json_array_get(errors.list, 0), "detail"));
	if (why) {
		if (!detail || !strstr(detail, why) || errors.count != 1)
			fail_msg("%s\n-> %zu complaints: %s, and not: %s", text, errors.count,
			         detail ? detail : "(none)", why);
	} else {
		if (detail)
			fail_msg("%s\n-> %s", text, detail);
		assert_string_equal(diff.text ? diff.text : "", kept);
	}
	diff_release(&diff);
	jx_errors_release(&errors);
}

static void good(void **state)
{
	/* NULL: all of it is kept. */
	static const char *const rows[][2] = {
		{"", NULL},
		{GOOD, NULL},
		{GOOD GIT("y.c") BOTH("y.c") HUNK HUNK, NULL},
		{"---\n x.c | 2 +-\n 1 file changed\n\n" GOOD "-- \n2.39.5\n\n", GOOD},
		{GOOD "--\n2.39.5\n", GOOD},
		{GOOD "\n____\nlist mailing list\n+ footer\n", GOOD},
		{GIT("x.c") BOTH("x.c") "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
	                                "\\ No newline at end of file\n",
	         NULL},
		/* A mailer took the space of an empty line of context. */
		{GIT("x.c") BOTH("x.c") "@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n", NULL},
		{"diff --git a/n b/n\nnew file mode 100755\nindex 0000000..1234567\n--- /dev/null\n+++ b/n\n"
	         "@@ -0,0 +1 @@\n+a\n",
	         NULL},
		{"diff --git a/n b/n\nnew file mode 100644\nindex 0000000..e69de29\n", NULL},
		{"diff --git a/n b/n\ndeleted file mode 100644\nindex 1234567..0000000\n--- a/n\n+++ /dev/null\n"
	         "@@ -1 +0,0 @@\n-a\n",
	         NULL},
		{"diff --git a/s b/s\nold mode 100644\nnew mode 100755\n", NULL},
		{"Index: x.c\n=====\n--- a/x.c\t2020-01-01\n+++ b/x.c\tnow\n" HUNK "\n",
	         "diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n" HUNK},
		{"--- /dev/null\n+++ b/x.c\n@@ -0,0 +1 @@\n+a\n",
	         "diff --git a/x.c b/x.c\nnew file mode 100644\n--- /dev/null\n+++ b/x.c\n@@ -0,0 +1 @@\n+a\n"},
		/* What is passed over must not bring two files together. */
		{"diff --git a/y b/y\nold mode 100644\nnew mode 100755\n--- nothing\n" BOTH("x.c")
	                 HUNK,
	         "diff --git a/y b/y\nold mode 100644\nnew mode 100755\ndiff --git a/x.c b/x.c\n" BOTH(
			 "x.c") HUNK},
		{GIT("x.c") BOTH(
			 "x.c") "@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\nnoise\n\\ noise\n",
	         GIT("x.c") BOTH("x.c") "@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n"},
		/* Lines of the content that look like headers. */
		{GIT("x.c") BOTH("x.c") "@@ -1,2 +1,2 @@\n--- a/../x\n+++ b/../x\n diff --git\n",
	         NULL},
		{GIT("x.c") BOTH("x.c") "@@ -1 +1 @@\n-a\r\n+b\r\n", NULL},
		{GIT("a.gitignore/.gitattributes") BOTH("a.gitignore/.gitattributes") HUNK, NULL},
		{GIT("...") BOTH("...") HUNK, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i][0], strlen(rows[i][0]), rows[i][1] ? rows[i][1] : rows[i][0], NULL);
}

static void good_names(void **state)
{
	static const char *const rows[][2] = {
		{"diff --git a/with space b/with space\nold mode 100644\nnew mode 100755\n", NULL},
		{"diff --git a/a b b/a b\nindex 1..2 100644\n--- a/a b\t\n+++ b/a b\t\n" HUNK,
	         NULL},
		{"diff --git a/p q b/r s\nsimilarity index 90%\nrename from p q\nrename to r s\n",
	         NULL},
		{"diff --git a/a b/c\nsimilarity index 100%\ncopy from a\ncopy to c\n", NULL},
		{"diff --git \"a/\\303\\244\" \"b/\\303\\244\"\nindex 1..2 100644\n--- \"a/\\303\\244\"\n"
	         "+++ \"b/\\303\\244\"\n" HUNK,
	         NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i][0], strlen(rows[i][0]), rows[i][1] ? rows[i][1] : rows[i][0], NULL);
}

static void bad_headers(void **state)
{
	static const char *const rows[][2] = {
		{"diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc\n",
	         "line 2 of its text: mode 120000 is a symbolic link"},
		{"diff --git a/x b/x\nindex 1234567..89abcde 120000\n" BOTH("x") HUNK,
	         "symbolic link"},
		{"diff --git a/x b/x\nold mode 100644\nnew mode 120000\n",
	         "line 3 of its text: mode 120000"},
		{"diff --git a/x b/x\ndeleted file mode 120000\n", "symbolic link"},
		{"diff --git a/x b/x\nnew file mode 160000\nindex 0..1\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+S\n",
	         "submodule"},
		{"diff --git a/x b/x\nnew file mode 0120000\n", "is not 100644 or 100755"},
		{"diff --git a/x b/x\nnew file mode 100664\n", "is not 100644"},
		{"diff --git a/x b/x\nnew file mode 100644 \n", "is not 100644"},
		{"diff --git a/x b/x\nindex 1..2 160000\n", "submodule"},
		{"diff --git a/x b/x\nindex 1;2\n", "broken index"},
		{"diff --git a/x.bin b/x.bin\nindex 1..2 100644\nGIT binary patch\nliteral 3\nKc\n",
	         "line 3 of its text: a binary diff"},
		{"diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n",
	         "binary diff"},
		{"Binary files x and y differ\n", "binary diff"},
		{"diff --git a/x b/x\n", "nothing of the file changes"},
		{GIT("x") BOTH("x"), "has no hunk"},
		{GIT("x") HUNK, "hunk without --- and +++"},
		{HUNK, "belongs to no file"},
		{"diff --cc x\nindex 1,2..3\n", "merge"},
		{"diff --git a/x b/x\nnew file mode 100644\nnew file mode 100644\n", "twice"},
		{"diff --git a/x b/x\n" BOTH("y") HUNK, "paths behind 'diff --git' are others"},
		{"diff --git a/x b/y\n" BOTH("x") HUNK, "paths behind 'diff --git' are others"},
		{"diff --git a/x b/x\n--- a/x\n+++ b/y\n" HUNK,
	         "paths behind 'diff --git' are others"},
		{"diff --git a/x b/y\nold mode 100644\nnew mode 100755\n",
	         "the two paths of the file differ"},
		{"diff --git a/x b/y\nrename from x\nrename to z\n",
	         "paths behind 'diff --git' are others"},
		{"diff --git a/x b/y\nrename from x\n", "has two paths"},
		{"diff --git a/x b/y\nrename from x\nrename to y\n--- a/z\n+++ b/y\n" HUNK,
	         "called 'x' and 'z'"},
		{"diff --git a/x b/x\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n",
	         "/dev/null goes with"},
		{"diff --git a/x b/x\nnew file mode 100644\n" BOTH("x") HUNK,
	         "/dev/null goes with"},
		{"--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+a\n", "both sides"},
		{"diff --git x x\n--- x\n+++ x\n" HUNK, "must begin with a/"},
		{"diff --git i/x w/x\n--- i/x\n+++ w/x\n" HUNK, "must begin with a/"},
		{"--- x\n+++ x\n" HUNK, "must begin with a/"},
		{"--- a/x.orig\n+++ b/x\n" HUNK, "the two paths of the file differ"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i][0], strlen(rows[i][0]), NULL, rows[i][1]);
}

static void bad_paths(void **state)
{
	static const char *const rows[][2] = {
		{GIT("../x") BOTH("../x") HUNK, "line 3 of its text: the path '../x' has .. in it"},
		{GIT("d/../../x") BOTH("d/../../x") HUNK, "has .. in it"},
		{GIT("d/..") BOTH("d/..") HUNK, "has .. in it"},
		{"diff --git a//etc/passwd b//etc/passwd\n--- a//etc/passwd\n+++ b//etc/passwd\n" HUNK,
	         "is absolute"},
		{"diff --git /etc/passwd /etc/passwd\n--- /etc/passwd\n+++ /etc/passwd\n" HUNK,
	         "is absolute"},
		{"--- /etc/passwd\n+++ /etc/passwd\n" HUNK, "is absolute"},
		{GIT(".git/config") BOTH(".git/config") HUNK, "has .git in it"},
		{GIT("d/.GIT/config") BOTH("d/.GIT/config") HUNK, "has .git in it"},
		{GIT("d/.git") BOTH("d/.git") HUNK, "has .git in it"},
		{GIT(".git. ./hooks") BOTH(".git. ./hooks") HUNK, "has .git in it"},
		{GIT(".git::$INDEX_ALLOCATION/x") BOTH(".git::$INDEX_ALLOCATION/x") HUNK,
	         "has .git in it"},
		{GIT("GIT~1/x") BOTH("GIT~1/x") HUNK, "has .git in it"},
		{GIT("a//b") BOTH("a//b") HUNK, "empty part"},
		{GIT("a/./b") BOTH("a/./b") HUNK, "has . as a part"},
		{GIT("a/") BOTH("a/") HUNK, "empty part"},
		/* Quoted: the same, only harder to see. */
		{"diff --git \"a/\\056\\056/x\" \"b/\\056\\056/x\"\n--- \"a/\\056\\056/x\"\n+++ \"b/\\056\\056/x\"\n" HUNK,
	         "has .. in it"},
		{"diff --git \"a/\\056git/x\" \"b/\\056git/x\"\nold mode 100644\nnew mode 100755\n",
	         "has .git in it"},
		{"diff --git \"a/x\\ny\" \"b/x\\ny\"\nold mode 100644\nnew mode 100755\n",
	         "control character"},
		{"diff --git \"a/x\\000y\" \"b/x\\000y\"\nold mode 100644\nnew mode 100755\n",
	         "two paths"},
		{"diff --git \"a/x\\q\" \"b/x\\q\"\n--- \"a/x\\q\"\n+++ \"b/x\\q\"\n" HUNK,
	         "broken path"},
		{"diff --git a/x b/x\n--- \"a/x\n+++ b/x\n" HUNK, "broken path"},
		{"diff --git a/x b/x\n--- a/x\t../y\n+++ b/x\n" HUNK, "broken path"},
		/* Renames and copies, which need no hunk. */
		{"diff --git a/x b/../y\nrename from x\nrename to ../y\n", "has .. in it"},
		{"diff --git a/../x b/y\nrename from ../x\nrename to y\n", "has .. in it"},
		{"diff --git a/x b/y\ncopy from x\ncopy to .git/hooks/y\n", "has .git in it"},
		{"diff --git a/x b/y\nrename from x\nrename to /y\n", "is absolute"},
		{"diff --git a/x b/y\nrename from x\nrename to \"\\057y\"\n", "is absolute"},
		{"diff --git a/x b/y\nrename from x\nrename to \n", "is empty"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i][0], strlen(rows[i][0]), NULL, rows[i][1]);
}

static void bad_hunks(void **state)
{
#define FILE_X GIT("x") BOTH("x")
	static const char *const rows[][2] = {
		{FILE_X "@@ -1,3 +1,2 @@\n a\n-b\n+c\n", "the mail ends 1 and 0 before that"},
		{FILE_X "@@ -1,3 +1,3 @@\n a\n-b\n+c\n-- \n2.39\n", "the hunk at line 5 says"},
		{FILE_X "@@ -1,2 +1,2 @@\n a\n+c\n+d\n", "and has others"},
		{FILE_X "@@ -1,1 +1,1 @@\n-a\n+c\n+d\n", "has more lines than the -1 +1"},
		{FILE_X "@@ -1,1 +1,1 @@\n-a\n+c\n d\n", "has more lines"},
		{FILE_X "@@ -1,2 +1,2 @@\n a\nb\n", "line 7 of its text: 'b' is no line of a diff"},
		{FILE_X "@@ -1,2 +1,2 @@\n a\n b\n", "changes nothing"},
		{FILE_X "@@ -0,0 +0,0 @@\n", "changes nothing"},
		{FILE_X "@@ -1,99999999999 +1 @@\n", "broken hunk header"},
		{FILE_X "@@ -1 +1\n-a\n+b\n", "broken hunk header"},
		{FILE_X "@@ -1 +1 @@\n-a\n+b\n\\ No newline\n+c\n", "has more lines"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i][0], strlen(rows[i][0]), NULL, rows[i][1]);
}

/* One complaint a file, and each file's. */
static void each_file_complains(void **state)
{
	static const char text[] = GIT("../x") BOTH("../x") HUNK GOOD
		"diff --git a/y b/y\nnew file mode 120000\nnew file mode 160000\n" GIT(".git/z");
	struct jx_errors errors = {0};
	struct complain complain = {&errors, "/mbox", "m"};
	struct diff diff;

	(void)state;
	diff_read(text, sizeof(text) - 1, 100, &diff, &complain);
	assert_int_equal(errors.count, 3);
	assert_int_equal(diff.files, 4);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(errors.list, 1), "detail")),
		"m, line 117 of its text: mode 120000 is a symbolic link: patches are of plain files");
	diff_release(&diff);
	jx_errors_release(&errors);
}

static void nul(void **state)
{
	static const char text[] = GOOD "a\n\0b\n";

	(void)state;
	check(text, sizeof(text) - 1, NULL, "line 10 of its text: a NUL byte");
}

/* A line as long as a patch may be, and a path that is too long. */
static void huge(void **state)
{
	size_t len = (size_t)5 * 1024 * 1024;
	SCOPED_STR line = xcalloc(len + 1, 1);
	SCOPED_STR good_text = NULL;
	SCOPED_STR path_text = NULL;

	(void)state;
	memset(line, 'x', len);
	good_text = xasprintf(GIT("x") BOTH("x") "@@ -1 +1 @@\n-%s\n+%.100s\n", line, line);
	check(good_text, strlen(good_text), good_text, NULL);
	path_text = xasprintf("diff --git a/x b/%.1100s\nrename from x\nrename to %.1100s\n", line,
	                      line);
	check(path_text, strlen(path_text), NULL, "longer than 1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(good_names),
		cmocka_unit_test(bad_headers),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(bad_hunks),
		cmocka_unit_test(nul),
		cmocka_unit_test(each_file_complains),
		cmocka_unit_test(huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
