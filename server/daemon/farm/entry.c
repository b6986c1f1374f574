#include "server/daemon/farm/entry.h"

#include "common/buildrole.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/utf8.h"
#include "common/verdict.h"
#include "common/xalloc.h"
#include "server/daemon/schedule/run.h"

#include <inttypes.h>
#include <string.h>

static const char *const stages[] = {"provision", "boot", "prove", "test", "collect"};
static const char *const kinds[] = {"contract", "gap", "info"};
static const char *const faults[] = {
	"ssh-connect",      "ssh-auth",       "host-key-mismatch",   "ssh-lost",
	"provision-failed", "disk-full",      "boot-command-failed", "boot-timeout",
	"wrong-release",    "wrong-build-id", "wrong-cache-class",   "agent-failed",
	"agent-died",       "agent-protocol", "board-lost",          "power-lost",
	"run-timeout",      "lease-lost",     "worker-died",         "no-board",
	"collect-failed",   "internal",
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool among(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; word && i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* A count from a stranger: what is none, or negative, is 0. */
static int64_t count_of(const json_t *object, const char *key)
{
	int64_t n = number_of(object, key);

	return n > 0 ? n : 0;
}

const json_t *entry_test(const json_t *plan, int64_t id, size_t *place)
{
	json_t *tests = json_object_get(plan, "tests");
	size_t low = 0, high = json_array_size(tests);

	/* Plans are numbered in order. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (number_of(json_array_get(tests, mid), "id") < id)
			low = mid + 1;
		else
			high = mid;
	}
	*place = low;
	if (low == json_array_size(tests) || number_of(json_array_get(tests, low), "id") != id)
		return NULL;
	return json_array_get(tests, low);
}

int64_t entry_id(const json_t *event)
{
	const json_t *id = json_object_get(event, "id");

	return json_is_integer(id) && json_integer_value(id) >= 0 ? json_integer_value(id) : -1;
}

/* ---- A check an event: 0, or -1 with f->broken ---- */

static int check_none(struct follow *f, struct entry *e)
{
	(void)f;
	(void)e;
	return 0;
}

static int check_accepted(struct follow *f, struct entry *e)
{
	if (number_of(e->event, "run") != f->ref.run ||
	    number_of(e->event, "attempt") != f->ref.attempt ||
	    number_of(e->event, "fence") != f->ref.fence)
		return err_set(&f->broken, ERR_PROTOCOL,
		               "it is of attempt %" PRId64 ".%" PRId64 " with fence %" PRId64,
		               number_of(e->event, "run"), number_of(e->event, "attempt"),
		               number_of(e->event, "fence"));
	return 0;
}

static int check_stage(struct follow *f, struct entry *e)
{
	const char *stage = text_of(e->event, "stage");

	if (!among(stage, stages, COUNT(stages)))
		return err_set(&f->broken, ERR_PROTOCOL, "stage '%.40s'", stage ? stage : "");
	return 0;
}

static int check_proved(struct follow *f, struct entry *e)
{
	if (!json_is_object(json_object_get(e->event, "facts")))
		return err_set(&f->broken, ERR_PROTOCOL, "proved without facts");
	return 0;
}

static int check_test(struct follow *f, struct entry *e)
{
	size_t place;

	e->test = entry_test(f->ref.plan, entry_id(e->event), &place);
	if (!e->test)
		return err_set(&f->broken, ERR_PROTOCOL, "test %" PRId64 " is not in the plan",
		               entry_id(e->event));
	return 0;
}

static int check_record(struct follow *f, struct entry *e)
{
	if (check_test(f, e) < 0)
		return -1;
	if (!json_is_object(json_object_get(e->event, "record")))
		return err_set(&f->broken, ERR_PROTOCOL, "test-record without a record");
	return 0;
}

static int check_finished(struct follow *f, struct entry *e)
{
	const char *word = text_of(e->event, "verdict");
	enum verdict verdict;
	size_t place;

	if (check_test(f, e) < 0)
		return -1;
	if (!word || !verdict_parse(word, &verdict) || verdict == VERDICT_MISSING)
		return err_set(&f->broken, ERR_PROTOCOL, "verdict '%.40s'", word ? word : "");
	(void)entry_test(f->ref.plan, entry_id(e->event), &place);
	if (f->finished[place])
		return err_set(&f->broken, ERR_PROTOCOL, "test %" PRId64 " finished twice",
		               entry_id(e->event));
	f->finished[place] = true;
	return 0;
}

static int check_warning(struct follow *f, struct entry *e)
{
	if (!text_of(e->event, "kind") || !text_of(e->event, "text"))
		return err_set(&f->broken, ERR_PROTOCOL, "kernel-warning without kind or text");
	if (json_is_null(json_object_get(e->event, "id")) || !json_object_get(e->event, "id"))
		return 0;
	return check_test(f, e);
}

static int check_file(struct follow *f, struct entry *e)
{
	const char *role = text_of(e->event, "role"), *sha256 = text_of(e->event, "sha256");
	const json_t *size = json_object_get(e->event, "size");
	enum build_role known = role ? build_role_parse(role) : ROLE_COUNT;

	if (f->ref.purpose == PURPOSE_TEST)
		return err_set(&f->broken, ERR_PROTOCOL, "a file, and this run makes none");
	if (known == ROLE_COUNT || !sha256 || !sha256_valid(sha256) || !json_is_integer(size) ||
	    json_integer_value(size) < 0 || json_integer_value(size) > build_role_max(known))
		return err_set(&f->broken, ERR_PROTOCOL, "a file with role '%.40s'",
		               role ? role : "");
	return 0;
}

static int check_ended(struct follow *f, struct entry *e)
{
	const char *outcome = text_of(e->event, "outcome");
	const json_t *fault = json_object_get(e->event, "fault");
	enum run_outcome parsed;

	if (!outcome || !run_outcome_parse(outcome, &parsed))
		return err_set(&f->broken, ERR_PROTOCOL, "outcome '%.40s'", outcome ? outcome : "");
	if ((parsed == RUN_OUTCOME_FAULT || json_is_object(fault)) &&
	    !among(text_of(fault, "code"), faults, COUNT(faults)))
		return err_set(&f->broken, ERR_PROTOCOL, "fault code '%.40s'",
		               text_of(fault, "code") ? text_of(fault, "code") : "");
	return 0;
}

static const struct {
	const char *name;
	enum entry_kind kind;
	int (*check)(struct follow *f, struct entry *e);
} events[] = {
	{"accepted", ENTRY_OTHER, check_accepted},
	{"stage", ENTRY_STAGE, check_stage},
	{"progress", ENTRY_PROGRESS, check_none},
	{"proved", ENTRY_PROVED, check_proved},
	{"leg", ENTRY_OTHER, check_none},
	{"reconnected", ENTRY_RECONNECTED, check_none},
	{"test-started", ENTRY_STARTED, check_test},
	{"test-record", ENTRY_RECORD, check_record},
	{"test-finished", ENTRY_FINISHED, check_finished},
	{"kernel-warning", ENTRY_WARNING, check_warning},
	{"note", ENTRY_NOTE, check_none},
	{"file", ENTRY_FILE, check_file},
	{"ended", ENTRY_ENDED, check_ended},
};

int entry_check(struct follow *f, struct entry *e, int64_t n)
{
	const char *ev = text_of(e->event, "ev");

	if (number_of(e->event, "n") != n)
		return err_set(&f->broken, ERR_PROTOCOL,
		               "n is %" PRId64 " where %" PRId64 " was to come",
		               number_of(e->event, "n"), n);
	if (!ev)
		return err_set(&f->broken, ERR_PROTOCOL, "no ev");
	e->t = number_of(e->event, "t");
	for (size_t i = 0; i < COUNT(events); i++)
		if (strcmp(events[i].name, ev) == 0) {
			e->kind = events[i].kind;
			return events[i].check(f, e);
		}
	f->unknown++;
	e->kind = ENTRY_OTHER;
	return 0;
}

/* ---- Results ---- */

bool entry_cell(const struct entry *e, struct attempt_result *out)
{
	const json_t *record = json_object_get(e->event, "record");
	const char *cell = text_of(record, "cell"), *word = text_of(record, "verdict");
	const char *kind = text_of(record, "kind"), *class = text_of(record, "class");
	const char *reason = text_of(record, "reason");
	enum verdict verdict;

	if (!cell || !*cell || strlen(cell) > 256 || !word || !verdict_parse(word, &verdict) ||
	    verdict == VERDICT_MISSING || (class && strlen(class) > 64) ||
	    (kind && !among(kind, kinds, COUNT(kinds))) || (reason && strlen(reason) > 64))
		return false;
	*out = (struct attempt_result){
		.test_id = number_of(e->test, "id"),
		.rep = number_of(e->test, "rep"),
		.test = text_of(e->test, "name"),
		.cell = cell,
		.test_kind = kind ? kind : text_of(e->test, "kind"),
		.verdict = word,
		.reason = reason,
		.detail = text_of(record, "detail"),
		.fault_class = class,
		.trials = count_of(record, "trials"),
		.bad = count_of(record, "bad"),
		.masked = count_of(record, "masked"),
	};
	return true;
}

void entry_result(const struct entry *e, struct attempt_result *out)
{
	*out = (struct attempt_result){
		.test_id = number_of(e->test, "id"),
		.rep = number_of(e->test, "rep"),
		.test = text_of(e->test, "name"),
		.cell = "",
		.test_kind = text_of(e->test, "kind"),
		.verdict = text_of(e->event, "verdict"),
		.reason = text_of(e->event, "reason"),
		.detail = text_of(e->event, "detail"),
		.trials = count_of(e->event, "trials"),
		.bad = count_of(e->event, "bad"),
		.duration_us = count_of(e->event, "duration_us"),
	};
}

char *entry_cut(const char *text, size_t cap)
{
	size_t used;
	SCOPED_STR out = text ? xcalloc(1, cap + 1) : NULL;

	if (text)
		(void)utf8_clean(text, strlen(text), out, cap + 1, &used);
	return take_str(&out);
}
