/* mail.h - what tells a mailed patch or series: its Message-ID, and b4's change-id. */
#pragma once
#include <stddef.h>

#define MAIL_ID_MAX 256 /* bytes of an id; a longer one is none */

struct mail_ids {
	char message_id[MAIL_ID_MAX]; /* without <>; "" for none */
	char change_id
		[MAIL_ID_MAX]; /* of X-Change-ID, else of a line "change-id: ..." in the body; "" for none */
};

/* Read them out of a mail (RFC 2822) of len bytes; any bytes. */
void mail_ids_read(const char *text, size_t len, struct mail_ids *ids);
