#include "server/board/agentline.h"

#include "common/buildrole.h"
#include "common/cacheclass.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"

#include <string.h>

#define BIG ((int64_t)1 << 53)

/* Shape of one field: a type letter and its bound.
 * i: integer 0 to max; s: string of at most max bytes; o: object. The capital one may be null or absent. */
struct field {
	const char *name;
	char type;
	int64_t max;
};

#define FIELDS_MAX 13

static const struct shape {
	const char *name;
	struct field fields[FIELDS_MAX];
} shapes[] = {
	[AGENT_STARTED] = {"agent-started",
                           {{"run", 'i', BIG},
                            {"attempt", 'i', BIG},
                            {"leg", 'i', BIG},
                            {"fence", 'i', BIG},
                            {"pid", 'I', BIG},
                            {"boot_id", 's', 64},
                            {"release", 'S', 128}}},
	[AGENT_FACTS] = {"facts", {{"facts", 'o', 0}}},
	[AGENT_TEST_STARTED] = {"test-started",
                                {{"id", 'i', BIG}, {"name", 's', 64}, {"rep", 'i', BIG}}},
	[AGENT_TEST_OUTPUT] = {"test-output",
                               {{"id", 'i', BIG}, {"stream", 's', 8}, {"text", 's', 16384}}},
	[AGENT_TEST_RECORD] = {"test-record", {{"id", 'i', BIG}, {"record", 'o', 0}}},
	[AGENT_TEST_FINISHED] = {"test-finished",
                                 {{"id", 'i', BIG},
                                  {"name", 's', 64},
                                  {"rep", 'i', BIG},
                                  {"verdict", 's', 16},
                                  {"reason", 'S', 256},
                                  {"detail", 'S', 8192},
                                  {"trials", 'I', BIG},
                                  {"bad", 'I', BIG},
                                  {"duration_us", 'I', BIG},
                                  {"exit_code", 'I', 255},
                                  {"signal", 'I', 64},
                                  {"max_rss_kib", 'I', BIG},
                                  {"dropped_bytes", 'I', BIG}}},
	[AGENT_KERNEL_WARNING] = {"kernel-warning",
                                  {{"id", 'I', BIG}, {"kind", 's', 16}, {"text", 's', 16384}}},
	[AGENT_FINISHED] = {"agent-finished",
                            {{"outcome", 's', 16}, {"detail", 'S', 4096}, {"tests", 'I', BIG}}},
};

/* Records that the farm itself acts on hold their known fields only; those of tests are evidence and are kept as they are. */
static const struct shape records[] = {
	{"progress", {{"what", 's', 64}, {"done", 'i', BIG}, {"total", 'i', BIG}}},
	{"failure",
         {{"step", 's', 64},
          {"text", 's', 8192},
          {"patch", 'I', 10000},
          {"file", 'S', 1024},
          {"line", 'I', BIG}}},
	{"build",
         {{"release", 's', 128},
          {"build_id", 'S', 128},
          {"config_sha256", 's', 64},
          {"compiler", 'S', 256},
          {"folded", 'S', 32}}},
	{"commit", {{"id", 's', 64}}},
	{"file", {{"role", 's', 32}, {"path", 's', 4096}, {"sha256", 's', 64}, {"size", 'i', BIG}}},
};

static bool fits(const json_t *value, const struct field *f)
{
	switch (f->type) {
	case 'i':
	case 'I':
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= f->max;
	case 's':
	case 'S':
		return json_is_string(value) && (int64_t)json_string_length(value) <= f->max;
	default:
		return json_is_object(value);
	}
}

static int copy_field(json_t *from, const struct field *f, json_t *to, const char *event,
                      struct err *err)
{
	bool may_miss = f->type == 'I' || f->type == 'S';
	json_t *value = json_object_get(from, f->name);

	if (may_miss && !value)
		return 0;
	if (!(may_miss && json_is_null(value)) && !fits(value, f))
		return err_set(err, ERR_PROTOCOL, "%s: %s is missing or out of bounds", event,
		               f->name);
	(void)json_object_set(to, f->name, value);
	return 0;
}

static const char *text_of(const struct agent_line *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line->fields, name));

	return text ? text : "";
}

static bool one_of(const char *word, const char *const *list, size_t count, size_t *index)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i], word) != 0)
			continue;
		*index = i;
		return true;
	}
	return false;
}

#define ONE_OF(word, list, index) one_of(word, list, sizeof(list) / sizeof(*(list)), index)

static const char *word_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* A file that the board offers. Its path is opened there and nowhere else, but it is shown. */
static int check_file(const json_t *record, struct err *err)
{
	enum build_role role = build_role_parse(word_of(record, "role"));
	const char *path = word_of(record, "path");

	if (role == ROLE_COUNT)
		return err_set(err, ERR_PROTOCOL, "file: no such role");
	if (json_integer_value(json_object_get(record, "size")) > build_role_max(role))
		return err_set(err, ERR_PROTOCOL, "file: a %s is never that large",
		               build_role_name(role));
	if (!sha256_valid(word_of(record, "sha256")))
		return err_set(err, ERR_PROTOCOL, "file: sha256 is none");
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			path = "";
	return *path != '/' ? err_set(err, ERR_PROTOCOL, "file: path is no absolute path") : 0;
}

static int check_build(const json_t *record, struct err *err)
{
	const char *folded = word_of(record, "folded");

	if (!sha256_valid(word_of(record, "config_sha256")))
		return err_set(err, ERR_PROTOCOL, "build: config_sha256 is none");
	if (*folded && cache_class_parse(folded) == CACHE_UNKNOWN)
		return err_set(err, ERR_PROTOCOL, "build: folded is no cache class");
	return 0;
}

/* Put the known fields of such a record in its place. */
static int clean_record(struct agent_line *line, json_t *record, const struct shape *shape,
                        struct err *err)
{
	json_t *clean = json_pack("{s:s}", "type", shape->name);

	(void)json_object_set_new(line->fields, "record", clean);
	for (size_t k = 0; k < FIELDS_MAX && shape->fields[k].name; k++)
		if (copy_field(record, &shape->fields[k], clean, shape->name, err) < 0)
			return -1;
	if (strcmp(shape->name, "file") == 0)
		return check_file(clean, err);
	return strcmp(shape->name, "build") == 0 ? check_build(clean, err) : 0;
}

/* A program's own record: its type is known, and a verdict in it is one. */
static int check_record(struct agent_line *line, struct err *err)
{
	static const char *const types[] = {"env", "mismatch", "cell", "result", "value"};
	SCOPED_JSON record = json_incref(json_object_get(line->fields, "record"));
	const char *type = word_of(record, "type");
	json_t *word = json_object_get(record, "verdict");
	enum verdict verdict;
	size_t i;

	for (i = 0; i < sizeof(records) / sizeof(*records); i++)
		if (strcmp(records[i].name, type) == 0)
			return clean_record(line, record, &records[i], err);
	if (!ONE_OF(type, types, &i))
		return err_set(err, ERR_PROTOCOL, "test-record: unknown type");
	if (word && (!json_is_string(word) || !verdict_parse(json_string_value(word), &verdict)))
		return err_set(err, ERR_PROTOCOL, "test-record: no such verdict");
	return 0;
}

static int check_finished(struct agent_line *line, struct err *err)
{
	if (!verdict_parse(text_of(line, "verdict"), &line->verdict) ||
	    line->verdict == VERDICT_MISSING)
		return err_set(err, ERR_PROTOCOL, "test-finished: no such verdict");
	if (line->verdict == VERDICT_SKIP && !skip_reason_valid(text_of(line, "reason"))) {
		/* The agent lets a program's exit code say skip, without a reason. */
		if (*text_of(line, "reason"))
			return err_set(err, ERR_PROTOCOL, "test-finished: no such skip reason");
	}
	return 0;
}

/* What the table of shapes cannot say. */
static int check_words(struct agent_line *line, struct err *err)
{
	static const char *const streams[] = {"out", "err"};
	static const char *const outcomes[] = {"complete", "cancelled", "error", "stopped"};
	static const char *const kinds[] = {"oops",      "panic",     "bug", "warning", "lockup",
	                                    "hung-task", "rcu-stall", "oom", "other"};
	size_t i = 0;

	switch (line->event) {
	case AGENT_TEST_RECORD:
		return check_record(line, err);
	case AGENT_TEST_FINISHED:
		return check_finished(line, err);
	case AGENT_TEST_OUTPUT:
		if (!ONE_OF(text_of(line, "stream"), streams, &i))
			return err_set(err, ERR_PROTOCOL, "test-output: no such stream");
		return 0;
	case AGENT_KERNEL_WARNING:
		if (!ONE_OF(text_of(line, "kind"), kinds, &i))
			return err_set(err, ERR_PROTOCOL, "kernel-warning: no such kind");
		return 0;
	case AGENT_FINISHED:
		if (!ONE_OF(text_of(line, "outcome"), outcomes, &i))
			return err_set(err, ERR_PROTOCOL, "agent-finished: no such outcome");
		line->outcome = (enum agent_outcome)i;
		return 0;
	case AGENT_STARTED:
	case AGENT_FACTS:
	case AGENT_TEST_STARTED:
		break;
	}
	return 0;
}

static int read_event(json_t *doc, struct agent_line *out, struct err *err)
{
	const char *event = json_string_value(json_object_get(doc, "ev"));
	json_t *id;

	for (size_t i = 0; event && i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct shape *shape = &shapes[i];

		if (strcmp(shape->name, event) != 0)
			continue;
		out->event = (enum agent_event)i;
		(void)json_object_set_new(out->fields, "ev", json_string(shape->name));
		for (size_t k = 0; k < FIELDS_MAX && shape->fields[k].name; k++)
			if (copy_field(doc, &shape->fields[k], out->fields, shape->name, err) < 0)
				return -1;
		id = json_object_get(out->fields, "id");
		out->id = json_is_integer(id) ? json_integer_value(id) : -1;
		return check_words(out, err);
	}
	return err_set(err, ERR_PROTOCOL, "unknown event");
}

int agent_line_read(const char *text, size_t len, struct agent_line *out, struct err *err)
{
	SCOPED_JSON doc = jx_parse(text, len, AGENT_LINE_MAX, err);

	*out = (struct agent_line){.id = -1};
	if (!doc) {
		if (err)
			err->kind = ERR_PROTOCOL;
		return -1;
	}
	out->fields = json_object();
	if (read_event(doc, out, err) < 0) {
		agent_line_release(out);
		return -1;
	}
	return 0;
}

void agent_line_release(struct agent_line *line)
{
	json_decref(line->fields);
	line->fields = NULL;
}
