#include "server/board/prove.h"

#include "common/err.h"
#include "server/board/request.h"

#include <string.h>

static const char *fact(const json_t *facts, const char *name)
{
	return json_string_value(json_object_get(facts, name));
}

static int differs(const char *wanted, const char *got, const char *what, const char *build,
                   struct err *err)
{
	if (!wanted || (got && strcmp(wanted, got) == 0))
		return 0;
	return err_set(err, ERR_CONFLICT,
	               "the running kernel has the %s %.128s, the build %s has %.128s", what,
	               got ? got : "(none)", build, wanted);
}

struct proof prove(const struct request *r, enum cache_class declared, const json_t *facts,
                   const char *console_line, struct err *err)
{
	struct proof proof = {0};
	const char *line = fact(facts, "cache_line");

	if (!line)
		line = console_line;
	if (line)
		proof.cache = cache_class_of_boot_line(line, NULL);
	if (differs(r->release, fact(facts, "release"), "release", r->build_name, err) < 0) {
		proof.fault = "wrong-release";
	} else if (differs(r->build_id, fact(facts, "build_id"), "build-id", r->build_name, err) <
	           0) {
		proof.fault = "wrong-build-id";
	} else if (!cache_class_agrees(declared, proof.cache)) {
		proof.fault = "wrong-cache-class";
		(void)err_set(err, ERR_CONFLICT,
		              "the board is declared %s, but its kernel says %s: %.160s",
		              cache_class_name(declared), cache_class_name(proof.cache),
		              line ? line : "it printed no line about its caches");
	}
	return proof;
}
