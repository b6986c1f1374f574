/* err.h - one error: a kind for code, a text for people.
 *
 * An error is made once, where it happens, and names the thing; callers may put context in
 * front with err_context(). Nobody logs an error and also returns it.
 * Every setter returns -1 so that `return err_set(...)` reads as the failure it is. */
#pragma once

enum err_kind {
	ERR_NONE = 0,
	ERR_INVALID,  /* the input is wrong; the text says where */
	ERR_IO,       /* the operating system refused; errno is in the text */
	ERR_NOTFOUND, /* no such thing */
	ERR_CONFLICT, /* the thing is not in a state that allows this */
	ERR_TIMEOUT,  /* a deadline passed */
	ERR_PROTOCOL, /* the peer said what it must not */
	ERR_CLOSED,   /* the peer is gone */
	ERR_DENIED,   /* not allowed */
	ERR_TOOBIG,   /* a bound was passed */
	ERR_NOSPACE,  /* no room on a disk */
};

struct err {
	enum err_kind kind;
	char text[480]; /* always UTF-8, whatever went into it; cut to fit */
};

/* Set err to kind with a formatted text; err may be NULL. Returns -1. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Like err_set() with ": " and the text of errno behind. ENOSPC and EDQUOT become ERR_NOSPACE
 * whatever kind says. errno is kept. Returns -1. */
int err_errno(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put a formatted context and ": " in front of the text. Returns -1. */
int err_context(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
