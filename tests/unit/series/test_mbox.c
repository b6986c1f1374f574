/* Cutting a file into mails: what begins one, and what only looks so. */
#include "server/daemon/series/mbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void from_lines(void **state)
{
	static const struct {
		const char *line;
		bool begins;
	} rows[] = {
		{"From cohort@z Thu Jan  1 00:00:00 1970", true},
		{"From cohort@z Thu Jan  1 00:00:00 70", false}, /* git's rule: more than 90 */
		{"From cohort@z Mon Sep 17 00:00:00 2001", true},
		{"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001", true},
		{"From git@z Thu Jan  1 00:00:00 1970", true},
		{"From here on all is well: it is 10:30:00 1991", true},
		{"From here on all is well", false},
		{"From: Someone <a@b>", false},
		{">From a Mon Sep 17 00:00:00 2001", false},
		{"From a 1:2 2001", false},
		{"From :::::::::::::::", false},
		{"From ", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (mbox_from_line(rows[i].line, strlen(rows[i].line)) != rows[i].begins)
			fail_msg("%s", rows[i].line);
}

#define MARK "From a Mon Sep 17 00:00:00 2001\n"
#define LORE "From mboxrd@z Thu Jan  1 00:00:00 1970\n"

static void mails(void **state)
{
	static const struct {
		const char *file;
		const char *mails[4];
		bool quoted;
	} rows[] = {
		{"", {NULL}, false},
		{"\n \n", {NULL}, false},
		{"Subject: x\n\ntext\n", {"Subject: x\n\ntext\n"}, false},
		{"Subject: x", {"Subject: x"}, false},
		{"\n" MARK "Subject: x\n\na\n\n" MARK "Subject: y\n",
	         {"Subject: x\n\na\n\n", "Subject: y\n"},
	         false},
		/* Without the empty line in front, as git has it. */
		{MARK "Subject: x\n" MARK "Subject: y", {"Subject: x\n", "Subject: y"}, false},
		{MARK "Subject: x\n\n>From a Mon Sep 17 00:00:00 2001\n",
	         {"Subject: x\n\n>From a Mon Sep 17 00:00:00 2001\n"},
	         false},
		{LORE "Subject: x\n", {"Subject: x\n"}, true},
		{MARK, {""}, false},
		{MARK MARK, {"", ""}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mbox mbox;
		struct mbox_mail mail;
		size_t n = 0;

		mbox_begin(&mbox, rows[i].file, strlen(rows[i].file));
		while (mbox_next(&mbox, &mail)) {
			const char *want = rows[i].mails[n++];

			assert_non_null(want);
			assert_int_equal(mail.len, strlen(want));
			assert_memory_equal(mail.text, want, mail.len);
			assert_int_equal(mail.quoted, rows[i].quoted);
		}
		assert_null(rows[i].mails[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_lines),
		cmocka_unit_test(mails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
