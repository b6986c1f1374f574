/* series.h - mails become a revision of a patch series: cover letter and patches, in order, complete and checked
 * (docs/SERIES.md). Pure; any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jx_errors;

#define SERIES_PATCHES_MAX 64
#define SERIES_PATCH_MAX   ((size_t)10 * 1024 * 1024) /* bytes of one */
#define SERIES_MAILS_MAX   1024                       /* in one file, answers to patches too */
#define SERIES_COVER_MAX   ((size_t)64 * 1024)

struct series_patch {
	char *subject;        /* owned: without brackets */
	char *author;         /* owned: "Name <address>" */
	char *message_id;     /* owned, or NULL */
	char sha256[65];      /* of its mail, as series_mail() makes it */
	char diff_sha256[65]; /* of the diff alone */
	int64_t size;         /* of its mail */
	const char *source;   /* the mail as it came: source_len bytes, in the text that was read */
	size_t source_len;
	bool quoted;
};

struct series_revision {
	char *title,
		*author; /* owned: of the cover letter, else of the first patch; author as in a patch */
	char *address;        /* owned: of that author */
	char *message_id;     /* owned, or NULL */
	char *change_id;      /* owned, or NULL */
	char *cover;          /* owned: text of the cover letter, "" without */
	char base_commit[65]; /* "" when none is said */
	int64_t version;
	bool rfc;
	int64_t date_us;              /* 0: not said */
	char patchset_hash[65];       /* as KCIDB defines it */
	struct series_patch *patches; /* owned: n - 1 is the index */
	size_t patches_count;
	size_t ignored; /* mails that are answers, or of other versions */
};

/* version: which one the user says it is; 0: as the mails say. Mails of one revision must be in text; with a version that
 * some of them have, those of the others are left out. Returns true, or false with complaints at pointer ("/mbox"). text must
 * outlive the revision; the caller calls series_release() in each case. */
bool series_read(const char *text, size_t len, int64_t version, const char *pointer,
                 struct series_revision *revision, struct jx_errors *errors);
void series_release(struct series_revision *revision);

/* The patch as the mail that is kept: patch->size bytes, and a NUL behind. The caller frees. */
char *series_mail(const struct series_patch *patch);

/* What ties its revisions when there is no change-id: 'subject TITLE by ADDRESS'. The caller frees. */
char *series_subject_key(const struct series_revision *revision);

/* A short name for the series: of the change-id "20260101-name-abc123", else of the title. The caller frees. */
char *series_short_name(const struct series_revision *revision);
