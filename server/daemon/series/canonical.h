/* canonical.h - a patch as a mail that `git am --keep-cr` takes: made anew from what was read and checked, so that nothing
 * else can be applied. Writing what such a mail says gives the same mail again. Pure. */
#pragma once
#include <stddef.h>

struct body;
struct diff;
struct mail;
struct subject;

struct canonical {
	char *text; /* owned */
	size_t len;
	size_t diff; /* where its diff begins */
};

/* author, address: who wrote the patch. date: as RFC 5322 writes it, or NULL. */
void canonical_write(const struct mail *mail, const struct body *body,
                     const struct subject *subject, const char *author, const char *address,
                     const char *date, const struct diff *diff, struct canonical *out);
void canonical_release(struct canonical *canonical);
