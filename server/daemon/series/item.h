/* item.h - one mail of a file, read as what it is to a series. For revision.c. */
#pragma once
#include "server/daemon/series/complain.h"
#include "server/daemon/series/mbox.h"
#include "server/daemon/series/subject.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum item_kind {
	ITEM_PATCH,
	ITEM_COVER,
	ITEM_OTHER, /* an answer to one, or of another version */
	ITEM_WRONG, /* it was to be a patch, and there are complaints */
};

struct item {
	enum item_kind kind;
	size_t number; /* in the file; the first is 1 */
	struct mbox_mail source;
	struct subject subject;
	char *what;             /* owned: for complaints */
	char *author, *address; /* owned: "Name <address>" */
	char *message_id;       /* owned, or NULL */
	char *change_id;        /* owned, or NULL */
	char *cover;            /* owned: ITEM_COVER only */
	char base_commit[65];
	int64_t date_us;
	int64_t size; /* ITEM_PATCH: of its canonical mail, and: */
	char sha256[65], diff_sha256[65];
};

/* Read it; complaints go to *errors. alone: there is no other mail beside it. */
void item_read(const struct mbox_mail *source, size_t number, bool alone, const char *pointer,
               struct jx_errors *errors, struct item *item);
void item_release(struct item *item);

/* The canonical mail of what was an ITEM_PATCH; *len without the NUL behind. The caller frees; NULL when it is none. */
char *item_mail(const struct mbox_mail *source, size_t *len);
