#include "cli/mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void ids(const char *mail, const char *message_id, const char *change_id)
{
	struct mail_ids got;

	mail_ids_read(mail, strlen(mail), &got);
	assert_string_equal(got.message_id, message_id);
	assert_string_equal(got.change_id, change_id);
}

static void mails(void **state)
{
	(void)state;
	ids("From: a@b\nMessage-ID: <x-v2-0-y@z>\nSubject: [PATCH v2 0/3] x\n\nbody\n---\nbase-commit: 12\n"
	    "change-id: 20260101-flush-0123456789ab\n",
	    "x-v2-0-y@z", "20260101-flush-0123456789ab");
	ids("message-id:\r\n <folded@z>\r\nX-Change-ID: 2026-a\r\n\r\nchange-id: other\r\n",
	    "folded@z", "2026-a");
	ids("Message-Id: <first@z>\nMessage-Id: <second@z>\n\nMessage-ID: <body@z>\n", "first@z",
	    "");
	ids("Subject: none\n\n say: change-id: no\n", "", "");
	ids("", "", "");
	ids("Message-ID:", "", "");
	ids("Message-ID: <\x01>\n", "", "");
}

static void an_endless_id_is_none(void **state)
{
	char mail[600] = "Message-ID: <";

	(void)state;
	(void)memset(mail + strlen(mail), 'a', 400);
	ids(mail, "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mails),
		cmocka_unit_test(an_endless_id_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
