/* jsonw.h - write one JSON value into a buffer of fixed size.
 * Nothing is allocated. What does not fit is not written half: the writer notes it
 * (jsonw_finish() then fails) and adds nothing more. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jsonw {
	char *text;    /* borrowed */
	size_t room;   /* bytes in text, the final NUL included */
	size_t length; /* bytes written */
	bool full;     /* something did not fit */
	bool separate; /* the next value needs a comma before it */
};

/* Start writing into text, which the caller keeps alive. */
void jsonw_start(struct jsonw *json, char *text, size_t room);

/* Each of these adds one value. key names it inside an object, and is NULL inside an array
 * and at the top. */
void jsonw_open_object(struct jsonw *json, const char *key);
void jsonw_close_object(struct jsonw *json);
void jsonw_open_array(struct jsonw *json, const char *key);
void jsonw_close_array(struct jsonw *json);
void jsonw_unsigned(struct jsonw *json, const char *key, uint64_t value);
void jsonw_signed(struct jsonw *json, const char *key, int64_t value);
void jsonw_bool(struct jsonw *json, const char *key, bool value);
void jsonw_null(struct jsonw *json, const char *key);

/* Add value as a string; NULL becomes null. Bytes that are not UTF-8 become U+FFFD, so that
 * text from a kernel or a command line never breaks the line. */
void jsonw_string(struct jsonw *json, const char *key, const char *value);

/* Add length bytes of data as a string of lower-case hex digits. */
void jsonw_hex(struct jsonw *json, const char *key, const void *data, size_t length);

/* End the text. Returns 0, or -1 when it did not fit. */
int jsonw_finish(struct jsonw *json);
