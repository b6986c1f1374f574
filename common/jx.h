/* jx.h - JSON from strangers: bounded, UTF-8, strict, and each complaint says where.
 *
 * Jansson parses; this adds what it lacks: a bound on size and depth before parsing, and a
 * table-driven reader that reports every wrong field at once by JSON pointer (RFC 6901). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define JX_DEPTH 32 /* levels of [] and {} that a document may have */

/* Parse len bytes as one JSON document (object or array). Refuses more than cap bytes (ERR_TOOBIG), more
 * than JX_DEPTH levels, bytes that are no UTF-8, duplicate keys, NUL characters and anything behind the
 * document (ERR_INVALID); the text says line and column. Returns a reference that the caller owns, or NULL. */
json_t *jx_parse(const char *text, size_t len, size_t cap, struct err *err);

/* Read and parse a file, cap bytes at most; the error names the path. */
json_t *jx_load(const char *path, size_t cap, struct err *err);

/* Complaints about one document, collected: a JSON array of {"pointer": "/tests/0", "detail": "text"}. */
struct jx_errors {
	json_t *list; /* owned; made on first use; the first 100 */
	size_t count; /* all of them */
};

void jx_errors_release(struct jx_errors *errors);
void jx_complain(struct jx_errors *errors, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool jx_ok(const struct jx_errors *errors);
/* All complaints in one line "pointer: detail; ..." into *err (ERR_INVALID). Returns -1, or 0 when none. */
int jx_errors_to_err(const struct jx_errors *errors, struct err *err);

enum jx_type {
	JX_STRING, /* field is const char *, borrowed from the document */
	JX_INT,    /* int64_t */
	JX_BOOL,   /* bool */
	JX_OBJECT, /* json_t *, borrowed */
	JX_ARRAY,  /* json_t *, borrowed */
	JX_ANY,    /* json_t *, borrowed */
};

/* One row a field of a struct. A field that is absent, or null and not required, leaves the
 * struct's member as the caller set it (its default). */
struct jx_field {
	const char *name;
	enum jx_type type;
	bool required;
	int64_t min,
		max; /* JX_INT: value; JX_STRING: bytes; JX_ARRAY: items; JX_OBJECT: keys. max 0: no bound */
	size_t offset; /* offsetof(struct, member) */
};

/* Read object into *out by the rows; unknown keys, missing required fields, wrong types and values out of
 * bounds become complaints below pointer ("" for the document itself). Returns true when there was none. */
bool jx_read(json_t *object, const struct jx_field *fields, size_t count, void *out,
             const char *pointer, struct jx_errors *errors);

/* The same for what another program of ours says on the wire: unknown keys are ignored (docs/WIRE.md). */
bool jx_read_wire(json_t *object, const struct jx_field *fields, size_t count, void *out,
                  const char *pointer, struct jx_errors *errors);

/* Each item of array must be a string of at most max bytes; complains otherwise. */
bool jx_strings(json_t *array, size_t max, const char *pointer, struct jx_errors *errors);

/* A name of a thing of ours (board, build, tag, suite, test): [A-Za-z0-9][A-Za-z0-9._+-]{0,63}. */
bool jx_name_valid(const char *name);

/* Compact text of value with sorted keys off; the caller frees. */
char *jx_text(const json_t *value);
