/* Mails into a revision: order, completeness, versions, what ties it, and the mails that are kept. */
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/series/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MARK "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"
#define WHO  "From: Ann Author <ann@example.org>\nDate: Tue, 2 Feb 2021 10:00:00 +0100\n"

#define HEAD(subject, id) MARK WHO "Subject: " subject "\nMessage-ID: <" id ">\n\n"
#define DIFF(file)                                                                                 \
	"---\n " file " | 2 +-\n\ndiff --git a/" file " b/" file                                   \
	"\nindex 1..2 100644\n--- a/" file "\n+++ b/" file "\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39\n\n"
#define PATCH(subject, id, file) HEAD(subject, id) "Why.\n\nSigned-off-by: Ann\n" DIFF(file)
#define COVER(subject, id, more) HEAD(subject, id) "What for.\n\n" more "-- \n2.39\n\n"
#define B4                                                                                         \
	"---\nbase-commit: 0123456789012345678901234567890123456789\n"                             \
	"change-id: 20210202-flush-dcache-0a1b2c\n\n"

struct read {
	struct series_revision revision;
	struct jx_errors errors;
	bool good;
};

static struct read mails(const char *text, int64_t version)
{
	struct read r = {0};

	r.good = series_read(text, strlen(text), version, "/mbox", &r.revision, &r.errors);
	if (r.good != jx_ok(&r.errors) || r.good != (r.revision.patches_count > 0))
		fail_msg("good, or complaints");
	return r;
}

static void read_release(struct read *r)
{
	series_release(&r->revision);
	jx_errors_release(&r->errors);
}

static const char *detail(const struct read *r, size_t i)
{
	const char *text =
		json_string_value(json_object_get(json_array_get(r->errors.list, i), "detail"));

	return text ? text : "";
}

/* The mails are refused, and a complaint says why. */
static void refused(const char *text, int64_t version, const char *why)
{
	struct read r = mails(text, version);

	if (r.good || !strstr(detail(&r, 0), why))
		fail_msg("%s\n-> %s, and not: %s", text, detail(&r, 0), why);
	read_release(&r);
}

static struct read accepted(const char *text, int64_t version)
{
	struct read r = mails(text, version);

	if (!r.good)
		fail_msg("%s\n-> %s", text, detail(&r, 0));
	return r;
}

static void whole(void **state)
{
	/* Not in order, with an answer and the same mail twice in between. */
	struct read r = accepted(PATCH("[PATCH v3 2/2] two", "2@x",
	                               "two.c") PATCH("Re: [PATCH v3 1/2] one", "r@x", "other.c")
	                                 COVER("[PATCH v3 0/2] ARM: both", "0@x",
	                                       B4) PATCH("[PATCH v3 1/2] one", "1@x", "one.c")
	                                         PATCH("[PATCH v3 2/2] two", "2@x", "two.c"),
	                         0);
	const struct series_revision *v = &r.revision;
	SCOPED_STR list = NULL;
	SCOPED_STR name = series_short_name(v);
	char hash[SHA256_HEX];

	(void)state;
	assert_int_equal(v->version, 3);
	assert_string_equal(v->title, "ARM: both");
	assert_string_equal(v->author, "Ann Author <ann@example.org>");
	assert_string_equal(v->message_id, "0@x");
	assert_string_equal(v->change_id, "20210202-flush-dcache-0a1b2c");
	assert_string_equal(name, "flush-dcache");
	assert_string_equal(v->base_commit, "0123456789012345678901234567890123456789");
	assert_non_null(strstr(v->cover, "What for."));
	assert_int_equal(v->date_us, INT64_C(1612256400000000));
	assert_int_equal(v->patches_count, 2);
	assert_int_equal(v->ignored, 1);
	assert_string_equal(v->patches[0].subject, "one");
	assert_string_equal(v->patches[1].message_id, "2@x");
	/* KCIDB: sha256sum *.patch | cut -c-64 | sha256sum */
	list = xasprintf("%s\n%s\n", v->patches[0].sha256, v->patches[1].sha256);
	sha256_hex(list, strlen(list), hash);
	assert_string_equal(v->patchset_hash, hash);
	read_release(&r);
}

static void canonical(void **state)
{
	static const char want[] =
		"From cohort@z Thu Jan  1 00:00:00 1970\n"
		"From: Ann Author <ann@example.org>\n"
		"Date: Tue, 02 Feb 2021 10:00:00 +0100\n"
		"Subject: [PATCH v3 1/1] one\n"
		"Message-ID: <1@x>\n"
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
		"Content-Transfer-Encoding: 8bit\n\n"
		"Why.\n\nSigned-off-by: Ann\n---\n one.c | 2 +-\n"
		"diff --git a/one.c b/one.c\nindex 1..2 100644\n--- a/one.c\n+++ b/one.c\n@@ -1 +1 @@\n-a\n+b\n\n";
	struct read r = accepted(PATCH("[PATCH v3 1/1] one", "1@x", "one.c"), 0);
	SCOPED_STR mail = series_mail(&r.revision.patches[0]);
	struct read again = accepted(mail, 0);

	(void)state;
	assert_string_equal(mail, want);
	assert_int_equal(r.revision.patches[0].size, strlen(want));
	assert_string_equal(again.revision.patches[0].sha256, r.revision.patches[0].sha256);
	read_release(&again);
	read_release(&r);
}

/* The same patch in the encodings that mail has is the same canonical mail but for what differs. */
static void encodings(void **state)
{
#define E_HEAD                                                                                     \
	"From: =?UTF-8?q?J=C3=B6rg?= <j@example.org>\n"                                            \
	"Subject: [PATCH] =?iso-8859-1?q?gr=FC=DFe?=\nMIME-Version: 1.0\n"
#define E_DIFF "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b = c\n"
	static const char *const rows[] = {
		E_HEAD
		"Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n"
		"K\xc3\xb6ln\n---\n" E_DIFF,
		E_HEAD
		"Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
		"K\xf6ln\n---\n" E_DIFF,
		E_HEAD "Content-Type: text/plain; charset=iso-8859-15\n"
		       "Content-Transfer-Encoding: quoted-printable\n\nK=F6=\nln\n---\n"
		       "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b =3D c\n",
		E_HEAD
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
		"S8O2bG4KLS0tCmRpZmYgLS1naXQgYS94IGIveAotLS0gYS94CisrKyBiL3gKQEAgLTEgKzEg\n"
		"QEAKLWEKK2IgPSBjCg==\n",
		/* what says nothing of its charset, or the wrong thing */
		E_HEAD "\nK\xf6ln\n---\n" E_DIFF,
		E_HEAD "\nK\xc3\xb6ln\n---\n" E_DIFF,
		E_HEAD "Content-Type: text/plain; charset=us-ascii\n\nK\xc3\xb6ln\n---\n" E_DIFF,
		/* CR LF on the way, and in base64 */
		"From: =?UTF-8?q?J=C3=B6rg?= <j@example.org>\r\n"
		"Subject: [PATCH] =?iso-8859-1?q?gr=FC=DFe?=\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n\r\nK\xc3\xb6ln\r\n---\r\ndiff --git a/x b/x\r\n"
		"--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a\r\n+b = c\r\n",
		/* the message in one part, the patch in another, HTML and a signature beside them */
		E_HEAD
		"Content-Type: multipart/mixed; boundary=o\n\n--o\n"
		"Content-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/plain; charset=utf-8\n\n"
		"K\xc3\xb6ln\n--i\nContent-Type: text/html\n\n<p>diff --git a/../x b/../x</p>\n--i--\n--o\n"
		"Content-Type: text/x-patch; name=\"0001.patch\"\n\n---\n" E_DIFF
		"--o\nContent-Type: application/pgp-signature\n\ndiff --git a/../x b/../x\n--o--\n",
		/* format=flowed stuffs a space in front of lines of context; here there is none */
		E_HEAD
		"Content-Type: text/plain; charset=utf-8; format=flowed\n\nK\xc3\xb6ln\n---\n" E_DIFF,
		/* headers at the top of the text */
		"From: list <list@example.org>\nSubject: [PATCH] wrong\n"
		"Content-Type: text/plain; charset=utf-8\n\n\n"
		"From: J\xc3\xb6rg <j@example.org>\nSubject: gr\xc3\xbc\xc3\x9f"
		"e\n\nK\xc3\xb6ln\n---\n" E_DIFF,
	};
	char first[SHA256_HEX] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct read r = accepted(rows[i], 0);
		SCOPED_STR mail = series_mail(&r.revision.patches[0]);

		if (*first && strcmp(first, r.revision.patches[0].sha256) != 0)
			fail_msg("row %zu is another mail:\n%s", i, mail);
		memcpy(first, r.revision.patches[0].sha256, sizeof(first));
		assert_string_equal(r.revision.patches[0].author, "J\xc3\xb6rg <j@example.org>");
		assert_non_null(strstr(mail, "\n\nK\xc3\xb6ln\n---\ndiff --git"));
		read_release(&r);
	}
}

static void incomplete(void **state)
{
	SCOPED_STR many = xstrdup("");

	(void)state;
	refused("", 0, "there is no mail in it");
	refused("\n\n \n", 0, "there is no mail in it");
	refused("hello\n", 0, "mail 1: is no mail");
	refused("diff --git a/x b/x\n", 0, "is no mail");
	refused(MARK "Subject: [PATCH] x\nFrom: nobody\n\n" DIFF("x"), 0, "From has no address");
	refused(HEAD("[PATCH] x", "1@x") "text\n", 0, "mail 1 \"[PATCH] x\": has no diff");
	refused(HEAD("lunch?", "1@x") "text\n", 0, "is no patch: it has no diff");
	refused(HEAD("lunch?", "1@x") "text\n" PATCH("[PATCH] x", "2@x", "x"), 0,
	        "mail 1 \"lunch?\": is no patch");
	refused(PATCH("[PATCH]", "1@x", "x"), 0, "has no subject");
	refused(COVER("[PATCH 0/1] x", "1@x", ""), 0, "part 1/1 is missing");
	refused(PATCH("Re: [PATCH 1/1] x", "1@x", "x"), 0, "no patch is among them");
	refused(PATCH("[PATCH 1/3] a", "1@x", "a") PATCH("[PATCH 3/3] c", "3@x", "c"), 0,
	        "part 2/3 is missing");
	refused(PATCH("[PATCH 1/2] a", "1@x", "a") PATCH("[PATCH 1/2] b", "2@x", "b"), 0,
	        "mail 1 \"[PATCH 1/2] a\" and mail 2 \"[PATCH 1/2] b\" are both part 1");
	refused(COVER("[PATCH 0/1] a", "1@x", "a") COVER("[PATCH 0/1] a", "2@x", "b")
	                PATCH("[PATCH 1/1] a", "3@x", "a"),
	        0, "both the cover letter");
	refused(PATCH("[PATCH 1/1] a", "1@x", "a") PATCH("[PATCH 1/2] b", "2@x", "b"), 0,
	        "do not number the patches alike");
	refused(PATCH("[PATCH 1/1] a", "1@x", "a") PATCH("[PATCH] b", "2@x", "b"), 0,
	        "do not number the patches alike");
	refused(PATCH("[PATCH 1/65] a", "1@x", "a"), 0, "more than 64 patches");
	for (int i = 0; i < 65; i++) {
		char *more = xasprintf("%s" MARK WHO "Subject: p%d\n\n" DIFF("x"), many, i);

		free(many);
		many = more;
	}
	refused(many, 0, "more than 64 patches");
}

static void versions(void **state)
{
	struct read r;

	(void)state;
	refused(PATCH("[PATCH 1/1] a", "1@x", "a") PATCH("[PATCH v2 1/1] a", "2@x", "a"), 0,
	        "is v1, mail 2 \"[PATCH v2 1/1] a\" is v2: send one version at a time");
	/* A thread with both: the one that is asked for. */
	r = accepted(PATCH("[PATCH 1/1] a", "1@x", "a") PATCH("[PATCH v2 1/1] a", "2@x", "b"), 2);
	assert_int_equal(r.revision.version, 2);
	assert_string_equal(r.revision.message_id, "2@x");
	assert_int_equal(r.revision.ignored, 1);
	read_release(&r);
	/* Mails that say no version: the user's word. */
	r = accepted(PATCH("[PATCH 1/1] a", "1@x", "a"), 7);
	assert_int_equal(r.revision.version, 7);
	read_release(&r);
	r = accepted(PATCH("[RFC PATCH v2 1/1] a", "1@x", "a"), 0);
	assert_int_equal(r.revision.version, 2);
	assert_true(r.revision.rfc);
	read_release(&r);
}

/* Sent again: other Message-IDs and dates, the same diffs. */
static void sent_again(void **state)
{
	struct read a = accepted(PATCH("[PATCH v3 1/1] a", "1@x", "a"), 0);
	struct read b = accepted(PATCH("[PATCH RESEND v3 1/1] a", "2@x", "a"), 0);

	(void)state;
	assert_string_not_equal(a.revision.patchset_hash, b.revision.patchset_hash);
	assert_string_equal(a.revision.patches[0].diff_sha256, b.revision.patches[0].diff_sha256);
	read_release(&a);
	read_release(&b);
}

static void keys(void **state)
{
	struct read a = accepted(PATCH("[PATCH v2 1/1] ARM: Flush it", "1@x", "a"), 0);
	SCOPED_STR key = series_subject_key(&a.revision);
	SCOPED_STR name = series_short_name(&a.revision);

	(void)state;
	assert_string_equal(key, "subject ARM: Flush it by ann@example.org");
	assert_string_equal(name, "arm-flush-it");
	assert_null(a.revision.change_id);
	read_release(&a);
}

/* What would make git see another mail, another diff or another author than was checked. */
static void smuggling(void **state)
{
#define S_HEAD "From: a <a@b>\nSubject: [PATCH] x\nMIME-Version: 1.0\n"
	static const char *const rows[] = {
		/* a second mail inside an encoded one */
		S_HEAD
		"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nwhy\n"
		"=46rom x Mon Sep 17 00:00:00 2001\nSubject: y\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n"
		"@@ -1 +1 @@\n-a\n+b\n",
		/* a diff that a charset brings out of the message */
		S_HEAD
		"Content-Type: text/plain; charset=utf-7\n\nwhy\n"
		"+AGQAaQBmAGY- --git a/../y b/../y\n+AC0ALQAt- a/../y\n+ACsAKwAr- b/../y\n"
		"+AEAAQA- -1 +-1 +AEAAQA-\n-a\n+-b\n---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
		/* headers by way of an encoded newline */
		"From: =?utf-8?q?a=0AFrom:_evil_<e@e>?= <a@b>\nSubject: [PATCH] =?utf-8?q?x=0A=0Adiff_--git?=\n\n"
		"why\n---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
		/* a plain diff among the notes that no line of ours begins */
		S_HEAD
		"\nwhy\n---\n--- a/../y\nnote\n+++ b/../y\n@@ -1 +1 @@\ndiff --git a/x b/x\n--- a/x\n"
		"+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
		/* a header at the top of the message, behind those that count */
		S_HEAD
		"\nFrom: a <a@b>\n\nSubject: other\nwhy\n---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n"
		"@@ -1 +1 @@\n-a\n+b\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct read r = mails(rows[i], 0), again;
		SCOPED_STR mail = NULL;
		const char *diff;

		/* Refusing is as good; what is taken must read the same again. */
		if (!r.good) {
			read_release(&r);
			continue;
		}
		mail = series_mail(&r.revision.patches[0]);
		again = accepted(mail, 0);
		assert_int_equal(again.revision.patches_count, 1);
		assert_string_equal(again.revision.patches[0].diff_sha256,
		                    r.revision.patches[0].diff_sha256);
		assert_string_equal(again.revision.patches[0].author, r.revision.patches[0].author);
		/* Behind the message there is one diff, and nothing of the other. */
		diff = strstr(mail, "\n---\n");
		assert_non_null(diff);
		assert_null(strstr(diff, "/../y"));
		diff = strstr(mail, "\ndiff --git");
		assert_non_null(diff);
		assert_null(strstr(diff + 1, "\ndiff --git"));
		read_release(&again);
		read_release(&r);
	}
}

/* A mail as such, deep and large. */
static void bounds(void **state)
{
	size_t depth = 3000, len = 0;
	char *deep = xcalloc(depth * 80 + 1000, 1);
	size_t big = (size_t)17 * 1024 * 1024;
	char *large;
	struct read r;

	(void)state;
	len += (size_t)snprintf(deep, 1000, "%s", S_HEAD);
	for (size_t i = 0; i < depth; i++)
		len += (size_t)snprintf(deep + len, 80,
		                        "Content-Type: multipart/mixed; boundary=b%zu\n\n--b%zu\n",
		                        i, i);
	r = mails(deep, 0);
	assert_false(r.good);
	read_release(&r);
	free(deep);
	large = xcalloc(big + 1, 1);
	memset(large, 'x', big);
	memcpy(large, S_HEAD "\n", sizeof(S_HEAD));
	refused(large, 0, "mail 1: has more than 16 MiB");
	memset(large + 11 * 1024 * 1024, '\0', big - (size_t)11 * 1024 * 1024);
	len = (size_t)snprintf(large, 200,
	                       S_HEAD
	                       "\n---\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+");
	large[len] = 'x';
	refused(large, 0, "bytes as a patch; at most 10485760 are taken");
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),     cmocka_unit_test(canonical),
		cmocka_unit_test(encodings), cmocka_unit_test(incomplete),
		cmocka_unit_test(versions),  cmocka_unit_test(sent_again),
		cmocka_unit_test(keys),      cmocka_unit_test(smuggling),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
