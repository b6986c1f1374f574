#include "common/jx.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Jansson's own bound on depth is 2048 levels; ours is found by a scan that knows strings. */
static int depth_check(const char *text, size_t len, struct err *err)
{
	unsigned depth = 0, line = 1;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '\n')
			line++;
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JX_DEPTH)
				return err_set(err, ERR_INVALID, "line %u: deeper than %d levels",
				               line, JX_DEPTH);
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

json_t *jx_parse(const char *text, size_t len, size_t cap, struct err *err)
{
	json_error_t where;
	json_t *doc;

	if (len > cap) {
		(void)err_set(err, ERR_TOOBIG, "JSON of %zu bytes: at most %zu are allowed", len,
		              cap);
		return NULL;
	}
	if (depth_check(text, len, err) < 0)
		return NULL;
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (!doc)
		(void)err_set(err, ERR_INVALID, "line %d column %d: %s", where.line, where.column,
		              where.text);
	return doc;
}

json_t *jx_load(const char *path, size_t cap, struct err *err)
{
	size_t len = 0;
	SCOPED_STR text = fs_read_file(path, cap, &len, err);
	json_t *doc = text ? jx_parse(text, len, cap, err) : NULL;

	if (text && !doc)
		(void)err_context(err, "%s", path);
	return doc;
}

void jx_errors_release(struct jx_errors *errors)
{
	json_decref(errors->list);
	errors->list = NULL;
	errors->count = 0;
}

/* A cut key may end inside a UTF-8 sequence, which Jansson refuses: a complaint must not be lost for that. */
static json_t *ascii_string(const char *text)
{
	SCOPED_STR copy = xstrdup(text);

	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

void jx_complain(struct jx_errors *errors, const char *pointer, const char *fmt, ...)
{
	char detail[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	errors->count++;
	if (!errors->list)
		errors->list = json_array();
	if (json_array_size(errors->list) < 100)
		(void)json_array_append_new(errors->list, json_pack("{s:o, s:o}", "pointer",
		                                                    ascii_string(pointer), "detail",
		                                                    ascii_string(detail)));
}

bool jx_ok(const struct jx_errors *errors)
{
	return errors->count == 0;
}

int jx_errors_to_err(const struct jx_errors *errors, struct err *err)
{
	char text[400] = "";
	size_t i, used = 0;
	json_t *one;

	if (jx_ok(errors))
		return 0;
	json_array_foreach(errors->list, i, one)
	{
		const char *pointer = json_string_value(json_object_get(one, "pointer"));
		int n = snprintf(text + used, sizeof(text) - used, "%s%s: %s", i ? "; " : "",
		                 *pointer ? pointer : "/",
		                 json_string_value(json_object_get(one, "detail")));

		used += n > 0 ? (size_t)n : 0;
		if (used >= sizeof(text))
			break;
	}
	return err_set(err, ERR_INVALID, "%s", text);
}

static const char *type_word(enum jx_type type)
{
	static const char *const words[] = {"a string",  "an integer", "true or false",
	                                    "an object", "an array",   "a value"};

	return words[type];
}

static bool type_fits(const json_t *value, enum jx_type type)
{
	switch (type) {
	case JX_STRING:
		return json_is_string(value);
	case JX_INT:
		return json_is_integer(value);
	case JX_BOOL:
		return json_is_boolean(value);
	case JX_OBJECT:
		return json_is_object(value);
	case JX_ARRAY:
		return json_is_array(value);
	case JX_ANY:
		return true;
	}
	return false;
}

static int64_t measure(const json_t *value, enum jx_type type)
{
	switch (type) {
	case JX_STRING:
		return (int64_t)json_string_length(value);
	case JX_INT:
		return json_integer_value(value);
	case JX_OBJECT:
		return (int64_t)json_object_size(value);
	case JX_ARRAY:
		return (int64_t)json_array_size(value);
	case JX_BOOL:
	case JX_ANY:
		break;
	}
	return 0;
}

static const char *measure_word(enum jx_type type)
{
	return type == JX_STRING   ? " bytes"
	       : type == JX_ARRAY  ? " items"
	       : type == JX_OBJECT ? " keys"
	                           : "";
}

static void store(json_t *value, const struct jx_field *f, void *out)
{
	char *member = (char *)out + f->offset;

	if (f->type == JX_STRING) {
		const char *text = json_string_value(value);
		(void)memcpy(member, &text, sizeof(text));
	} else if (f->type == JX_INT) {
		int64_t number = json_integer_value(value);
		(void)memcpy(member, &number, sizeof(number));
	} else if (f->type == JX_BOOL) {
		bool yes = json_is_true(value);
		(void)memcpy(member, &yes, sizeof(yes));
	} else {
		(void)memcpy(member, &value, sizeof(value));
	}
}

static void read_field(json_t *object, const struct jx_field *f, void *out, const char *pointer,
                       struct jx_errors *errors)
{
	SCOPED_STR at = xasprintf("%s/%s", pointer, f->name);
	json_t *value = json_object_get(object, f->name);
	int64_t n;

	if (!value || (json_is_null(value) && f->type != JX_ANY)) {
		if (f->required)
			jx_complain(errors, at, "is required: %s", type_word(f->type));
		return;
	}
	if (!type_fits(value, f->type)) {
		jx_complain(errors, at, "must be %s", type_word(f->type));
		return;
	}
	n = measure(value, f->type);
	if (f->type != JX_BOOL && f->type != JX_ANY &&
	    (n < f->min || (f->max != 0 && n > f->max))) {
		if (f->max != 0)
			jx_complain(errors, at, "must be %" PRId64 " to %" PRId64 "%s", f->min,
			            f->max, measure_word(f->type));
		else
			jx_complain(errors, at, "must be at least %" PRId64 "%s", f->min,
			            measure_word(f->type));
		return;
	}
	store(value, f, out);
}

static void refuse_unknown(json_t *object, const struct jx_field *fields, size_t count,
                           const char *pointer, struct jx_errors *errors)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t i = 0;

		while (i < count && strcmp(fields[i].name, key) != 0)
			i++;
		if (i == count) {
			SCOPED_STR at = xasprintf("%s/%.64s", pointer, key);

			jx_complain(errors, at, "unknown field");
		}
	}
}

bool jx_read_wire(json_t *object, const struct jx_field *fields, size_t count, void *out,
                  const char *pointer, struct jx_errors *errors)
{
	size_t before = errors->count;

	if (!json_is_object(object)) {
		jx_complain(errors, pointer, "must be an object");
		return false;
	}
	for (size_t i = 0; i < count; i++)
		read_field(object, &fields[i], out, pointer, errors);
	return errors->count == before;
}

bool jx_read(json_t *object, const struct jx_field *fields, size_t count, void *out,
             const char *pointer, struct jx_errors *errors)
{
	size_t before = errors->count;

	if (json_is_object(object))
		refuse_unknown(object, fields, count, pointer, errors);
	(void)jx_read_wire(object, fields, count, out, pointer, errors);
	return errors->count == before;
}

bool jx_strings(json_t *array, size_t max, const char *pointer, struct jx_errors *errors)
{
	bool ok = true;
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		if (json_is_string(item) && json_string_length(item) > 0 &&
		    json_string_length(item) <= max)
			continue;
		SCOPED_STR at = xasprintf("%s/%zu", pointer, i);

		jx_complain(errors, at, "must be a string of 1 to %zu bytes", max);
		ok = false;
	}
	return ok;
}

bool jx_name_valid(const char *name)
{
	static const char ok[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
	size_t len = strlen(name);

	return len > 0 && len <= 64 && strspn(name, ok) == len && !strchr("._+-", name[0]);
}

char *jx_text(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	return text ? text : xstrdup("null");
}
