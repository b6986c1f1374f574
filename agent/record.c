#include "agent/record.h"

#include "agent/ktap.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define DETAIL_MAX 4096 /* bytes of a result's detail */

bool record_known(const json_t *record)
{
	static const char *const types[] = {"env",      "mismatch", "cell",  "result", "value",
	                                    "progress", "failure",  "build", "file",   "commit"};
	const char *type = json_string_value(json_object_get(record, "type"));

	for (size_t i = 0; type && i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static struct judgement error(const char *reason, const char *text)
{
	struct judgement j = {.verdict = VERDICT_ERROR, .text = text};

	(void)snprintf(j.reason, sizeof(j.reason), "%s", reason);
	return j;
}

static json_t *count_of(const json_t *result, const char *name)
{
	json_t *value = json_object_get(result, name);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? value : NULL;
}

/* Why the record is no result, or NULL. */
static const char *refuse(const struct ending *end, enum verdict *verdict)
{
	const char *word = json_string_value(json_object_get(end->result, "verdict"));
	json_t *reason = json_object_get(end->result, "reason");

	if (end->results > 1)
		return "more than one result record";
	if (!word || !verdict_parse(word, verdict))
		return "result record: verdict is no known one";
	if (*verdict == VERDICT_MISSING)
		return "result record: missing is for the farm to say";
	if (reason && !json_is_null(reason) &&
	    (!json_is_string(reason) || json_string_length(reason) >= 64))
		return "result record: reason must be a short string";
	if (*verdict == VERDICT_SKIP &&
	    (!json_is_string(reason) || !skip_reason_valid(json_string_value(reason))))
		return "result record: a skip needs one of the fixed reasons";
	return NULL;
}

static struct judgement by_record(const struct ending *end)
{
	struct judgement j = {.verdict = VERDICT_ERROR};
	const char *why = refuse(end, &j.verdict);
	const char *reason = json_string_value(json_object_get(end->result, "reason"));
	json_t *detail = json_object_get(end->result, "detail");

	if (why)
		return error("bad-record", why);
	(void)snprintf(j.reason, sizeof(j.reason), "%s", reason ? reason : "");
	if (json_is_string(detail) && json_string_length(detail) <= DETAIL_MAX)
		j.detail = detail;
	j.trials = count_of(end->result, "trials");
	j.bad = count_of(end->result, "bad");
	return j;
}

/* It did not end by itself: that outranks whatever it said. */
static bool broken_off(const struct ending *end, struct judgement *j)
{
	static const char *const stops[] = {
		[STOP_TIMEOUT] = "timeout",     [STOP_OUTPUT] = "output-limit",
		[STOP_MEMORY] = "memory-limit", [STOP_CANCEL] = "cancelled",
		[STOP_EXEC] = "exec-failed",
	};

	*j = error(end->stop != STOP_NONE ? stops[end->stop] : "", end->why);
	if (end->stop != STOP_NONE)
		return true;
	if (!WIFSIGNALED(end->status))
		return false;
	(void)snprintf(j->reason, sizeof(j->reason), "signal:%d", WTERMSIG(end->status));
	return true;
}

/* Exit codes of kselftest: 0 pass, 1 fail, 2 an expected failure, 3 an unexpected pass, 4 skip. */
struct judgement record_judge_ktap(const struct ending *end, const struct ktap_outcome *ktap)
{
	int code = WEXITSTATUS(end->status);
	struct judgement j;

	if (broken_off(end, &j))
		return j;
	j = (struct judgement){.verdict = ktap->verdict,
	                       .text = ktap->detail,
	                       .ktap_trials = ktap->trials,
	                       .ktap_bad = ktap->bad};
	(void)snprintf(j.reason, sizeof(j.reason), "%s", ktap->reason);
	if (j.verdict == VERDICT_FAIL || code == 0 || code == 2 || code == 3)
		return j;
	if (code == 4) {
		j.verdict = VERDICT_SKIP;
		(void)snprintf(j.reason, sizeof(j.reason), "%s", ktap->skip);
	} else if (j.verdict != VERDICT_ERROR) {
		j.verdict = verdict_of_exit(code);
		(void)snprintf(j.reason, sizeof(j.reason), "exit:%d", code);
	}
	return j;
}

struct judgement record_judge(const struct ending *end)
{
	struct judgement j;

	if (broken_off(end, &j))
		return j;
	if (end->results > 0)
		return by_record(end);
	j.verdict = verdict_of_exit(WEXITSTATUS(end->status));
	if (j.verdict == VERDICT_ERROR)
		(void)snprintf(j.reason, sizeof(j.reason), "exit:%d", WEXITSTATUS(end->status));
	return j;
}
