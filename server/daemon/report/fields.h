/* fields.h - reading documents that this program made itself: a missing field is an empty text, or zero. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

static inline const char *field_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static inline json_int_t field_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static inline bool field_is(const json_t *object, const char *name, const char *text)
{
	return strcmp(field_text(object, name), text) == 0;
}
