#include "jsonw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-non-const-parameter): it is written through json->text */
void jsonw_start(struct jsonw *json, char *text, size_t room)
{
	*json = (struct jsonw){.text = text, .room = room};
}

static void put(struct jsonw *json, const char *text, size_t length)
{
	if (json->full || length >= json->room - json->length) {
		json->full = true;
		return;
	}
	memcpy(json->text + json->length, text, length);
	json->length += length;
}

static void put_text(struct jsonw *json, const char *text)
{
	put(json, text, strlen(text));
}

/* Length of the well-formed UTF-8 character at text, or 0. */
static size_t utf8_length(const unsigned char *text)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if ((text[0] >= 0x80 && text[0] < 0xc2) || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

static void put_quoted(struct jsonw *json, const char *value)
{
	const unsigned char *next = (const unsigned char *)value;
	char escape[8];

	put_text(json, "\"");
	while (*next != '\0') {
		size_t length = utf8_length(next);

		if (length == 0) {
			put_text(json, "\\ufffd");
			length = 1;
		} else if (*next == '"' || *next == '\\') {
			put(json, (const char[]){'\\', (char)*next}, 2);
		} else if (*next < 0x20 || *next == 0x7f) {
			(void)snprintf(escape, sizeof(escape), "\\u%04x", *next);
			put_text(json, escape);
		} else {
			put(json, (const char *)next, length);
		}
		next += length;
	}
	put_text(json, "\"");
}

/* What stands before every value: the comma and the key. */
static void lead(struct jsonw *json, const char *key)
{
	if (json->separate)
		put_text(json, ",");
	if (key != NULL) {
		put_quoted(json, key);
		put_text(json, ":");
	}
	json->separate = true;
}

static void open_with(struct jsonw *json, const char *key, const char *bracket)
{
	lead(json, key);
	put_text(json, bracket);
	json->separate = false;
}

static void close_with(struct jsonw *json, const char *bracket)
{
	put_text(json, bracket);
	json->separate = true;
}

void jsonw_open_object(struct jsonw *json, const char *key)
{
	open_with(json, key, "{");
}

void jsonw_close_object(struct jsonw *json)
{
	close_with(json, "}");
}

void jsonw_open_array(struct jsonw *json, const char *key)
{
	open_with(json, key, "[");
}

void jsonw_close_array(struct jsonw *json)
{
	close_with(json, "]");
}

void jsonw_unsigned(struct jsonw *json, const char *key, uint64_t value)
{
	char digits[24];

	lead(json, key);
	(void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
	put_text(json, digits);
}

void jsonw_signed(struct jsonw *json, const char *key, int64_t value)
{
	char digits[24];

	lead(json, key);
	(void)snprintf(digits, sizeof(digits), "%" PRId64, value);
	put_text(json, digits);
}

void jsonw_bool(struct jsonw *json, const char *key, bool value)
{
	lead(json, key);
	put_text(json, value ? "true" : "false");
}

void jsonw_null(struct jsonw *json, const char *key)
{
	lead(json, key);
	put_text(json, "null");
}

void jsonw_string(struct jsonw *json, const char *key, const char *value)
{
	if (value == NULL) {
		jsonw_null(json, key);
		return;
	}
	lead(json, key);
	put_quoted(json, value);
}

void jsonw_hex(struct jsonw *json, const char *key, const void *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	lead(json, key);
	put_text(json, "\"");
	for (size_t i = 0; i < length; i++)
		put(json, (const char[]){digits[bytes[i] >> 4], digits[bytes[i] & 15]}, 2);
	put_text(json, "\"");
}

int jsonw_finish(struct jsonw *json)
{
	json->text[json->length] = '\0';
	return json->full ? -1 : 0;
}
