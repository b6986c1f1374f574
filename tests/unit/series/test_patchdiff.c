/* What changed between two revisions, and the difference of lines below it: against a table, and random texts against their
 * definition. */
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/series/linediff.h"
#include "server/daemon/series/patchdiff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* ---- Lines ---- */

struct walk {
	char a[4096], b[4096]; /* what the walk says that the texts are */
	size_t common;
};

static void append(char *to, const struct linediff_line *line)
{
	size_t len = strlen(to);

	(void)snprintf(to + len, 4096 - len, "%.*s", (int)line->len, line->text);
}

static void on_line(void *arg, char sign, const struct linediff_line *line)
{
	struct walk *w = arg;

	if (sign != '+')
		append(w->a, line);
	if (sign != '-')
		append(w->b, line);
	w->common += sign == ' ';
}

/* Texts of one letter a line. */
static void lines_of(const char *letters, struct linediff_text *text)
{
	for (; *letters; letters++)
		linediff_add(text, letters, 1);
}

/* The longest common subsequence, by its definition. */
static size_t lcs(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	size_t *row = xcalloc(m + 1, sizeof(*row)), best;

	for (size_t i = 0; i < n; i++) {
		size_t corner = 0;

		for (size_t j = 0; j < m; j++) {
			size_t above = row[j + 1];

			row[j + 1] = a[i] == b[j] ? corner + 1 : row[j] > above ? row[j] : above;
			corner = above;
		}
	}
	best = row[m];
	free(row);
	return best;
}

static void walk_check(const char *a, const char *b)
{
	struct linediff_text left = {0}, right = {0};
	struct walk w = {.common = 0};
	size_t edits;

	lines_of(a, &left);
	lines_of(b, &right);
	edits = linediff_walk(&left, &right, on_line, &w);
	if (strcmp(w.a, a) != 0 || strcmp(w.b, b) != 0 || w.common != lcs(a, b) ||
	    edits != strlen(a) + strlen(b) - 2 * w.common)
		fail_msg("'%s' and '%s': %zu common", a, b, w.common);
	linediff_release(&left);
	linediff_release(&right);
}

static void small_texts(void **state)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"a", ""},
		{"", "a"},
		{"a", "a"},
		{"a", "b"},
		{"abc", "abd"},
		{"abcabba", "cbabac"},
		{"xaxcxabc", "abcy"},
		{"ab", "ba"},
		{"aaaa", "aa"},
		{"abcdef", "fedcba"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		walk_check(rows[i][0], rows[i][1]);
}

static void random_texts(void **state)
{
	const char *said = getenv("COHORT_SEED");
	unsigned seed = said ? (unsigned)strtoul(said, NULL, 10) : (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 2000; round++) {
		char text[2][64];

		for (int t = 0; t < 2; t++) {
			size_t len = (size_t)rand_r(&seed) % 40;

			for (size_t i = 0; i < len; i++)
				text[t][i] = (char)('a' + rand_r(&seed) % 4);
			text[t][len] = '\0';
		}
		walk_check(text[0], text[1]);
	}
}

/* Nothing in common, and more of it than is looked for. */
static void too_different(void **state)
{
	struct linediff_text a = {0}, b = {0};
	struct walk w = {.common = 0};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		linediff_add(&a, "x", 1);
		linediff_add(&b, "y", 1);
	}
	assert_int_equal(linediff_walk(&a, &b, on_line, &w), 4000);
	assert_int_equal(w.common, 0);
	linediff_release(&a);
	linediff_release(&b);
}

/* ---- Patches ---- */

#define HEAD "From: a\nSubject: s\n\n"
#define FILE_DIFF(n, line)                                                                         \
	"diff --git a/" n " b/" n "\nindex 1..2\n--- a/" n "\n+++ b/" n                            \
	"\n@@ -1,3 +1,3 @@ f\n a\n-b\n+" line "\n c\n"

static char *diff_of(const struct patchdiff_patch *a, size_t n, const struct patchdiff_patch *b,
                     size_t m)
{
	struct patchdiff_side from = {"v1", a, n}, to = {"v2", b, m};
	size_t len;

	return patchdiff_text(&from, &to, &len);
}

static struct patchdiff_patch patch(const char *subject, const char *text)
{
	return (struct patchdiff_patch){subject, text, strlen(text)};
}

static void patches(void **state)
{
	const struct patchdiff_patch old[] = {
		patch("same", HEAD "why\n---\n" FILE_DIFF("x", "y")),
		patch("changed", HEAD "why\n---\n" FILE_DIFF("z", "1")),
		patch("gone", HEAD "other\n"),
		patch("renamed", HEAD "how\n---\n" FILE_DIFF("w", "1")),
	};
	const struct patchdiff_patch new[] = {
		patch("renamed now", HEAD "how\n---\n" FILE_DIFF("w", "1")),
		/* Only places of hunks and blob names are others. */
		patch("same",
	              "From: b\nDate: d\n\nwhy\n---\ndiff --git a/x b/x\nindex 8..9\n--- a/x\n+++ b/x\n"
	              "@@ -7,3 +9,3 @@ f\n a\n-b\n+y\n c\n"),
		patch("changed", HEAD "why\n---\n" FILE_DIFF("z", "2")),
		patch("new", HEAD "entirely\nanother\n"),
	};
	SCOPED_STR text = diff_of(old, 4, new, 4);

	(void)state;
	assert_string_equal(text, "3: v1 < -: v2 gone\n"
	                          "4: v1 ! 1: v2 renamed now\n"
	                          "    -Subject: renamed\n"
	                          "    +Subject: renamed now\n"
	                          "1: v1 = 2: v2 same\n"
	                          "2: v1 ! 3: v2 changed\n"
	                          "    @@\n"
	                          "     @@ f\n"
	                          "      a\n"
	                          "     -b\n"
	                          "    -+1\n"
	                          "    ++2\n"
	                          "      c\n"
	                          "-: v1 > 4: v2 new\n");
}

static void nothing(void **state)
{
	SCOPED_STR text = diff_of(NULL, 0, NULL, 0);

	(void)state;
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_texts),   cmocka_unit_test(random_texts),
		cmocka_unit_test(too_different), cmocka_unit_test(patches),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
