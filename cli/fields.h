/* fields.h - reading the server's JSON for printing: a missing or odd field is an empty text or zero. */
#pragma once
#include <jansson.h>
#include <string.h>

static inline const char *field_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static inline long long field_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* "2026-11-22T14:32:00.123456Z" as "2026-11-22 14:32:00". */
static inline const char *field_time(const json_t *object, const char *name, char out[20])
{
	const char *text = field_text(object, name);
	size_t len = strlen(text) < 19 ? strlen(text) : 19;

	(void)memcpy(out, text, len);
	out[len] = '\0';
	if (len > 10)
		out[10] = ' ';
	return out;
}
