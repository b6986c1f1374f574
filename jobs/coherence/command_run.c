#include "commands.h"
#include "emit.h"
#include "env.h"
#include "runner.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define TESTS_MAX 128U

struct request {
	struct run_options options;
	bool ktap, env;
	unsigned int sets; /* 1U << enum test_set */
	char **names;
	size_t name_count;
};

static int parse_number(const char *option, const char *text, uint32_t most, uint32_t *value)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || number > most) {
		(void)fprintf(stderr, "coherence: %s: not a number up to %u: %s\n", option, most,
		              text);
		return -1;
	}
	*value = (uint32_t)number;
	return 0;
}

static int parse_set(const char *text, unsigned int *sets)
{
	if (strcmp(text, "all") == 0) {
		*sets = (1U << SET_COUNT) - 1U;
		return 0;
	}
	for (unsigned int set = 0; set < SET_COUNT; set++) {
		if (strcmp(text, set_name((enum test_set)set)) == 0) {
			*sets = 1U << set;
			return 0;
		}
	}
	(void)fprintf(stderr, "coherence: --set: not core, extended, bench or all: %s\n", text);
	return -1;
}

static int parse(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{"iterations", required_argument, NULL, 'i'},
		{"seed", required_argument, NULL, 's'},
		{"dev", required_argument, NULL, 'd'},
		{"bench-ms", required_argument, NULL, 'b'},
		{"set", required_argument, NULL, 'S'},
		{"ktap", no_argument, NULL, 'k'},
		{"env", no_argument, NULL, 'e'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i') {
			if (parse_number("--iterations", optarg, 1000000,
			                 &request->options.iterations) < 0)
				return -1;
		} else if (option == 's') {
			if (parse_number("--seed", optarg, UINT32_MAX, &request->options.seed) < 0)
				return -1;
		} else if (option == 'd') {
			request->options.device = optarg;
		} else if (option == 'b') {
			if (parse_number("--bench-ms", optarg, 60000, &request->options.bench_ms) <
			    0)
				return -1;
		} else if (option == 'S') {
			if (parse_set(optarg, &request->sets) < 0)
				return -1;
		} else if (option == 'k') {
			request->ktap = true;
		} else if (option == 'e') {
			request->env = true;
		} else {
			return -1;
		}
	}
	request->names = argv + optind;
	request->name_count = (size_t)(argc - optind);
	return 0;
}

static bool is_wanted(const struct request *request, const struct test *test)
{
	for (size_t i = 0; i < request->name_count; i++) {
		if (fnmatch(request->names[i], test->name, 0) == 0)
			return true;
	}
	return request->name_count == 0 && (request->sets >> test->set & 1U) != 0;
}

/* Fill chosen with the tests that are wanted. A name that matches nothing is a mistake, not
 * an empty run. Returns how many, or 0 after a message. */
static size_t choose(const struct request *request, const struct test *chosen[TESTS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < request->name_count; i++) {
		bool found = false;

		for (size_t j = 0; j < test_count; j++)
			found |= fnmatch(request->names[i], tests[j]->name, 0) == 0;
		if (!found) {
			(void)fprintf(stderr, "coherence: no test matches: %s\n",
			              request->names[i]);
			return 0;
		}
	}
	for (size_t i = 0; i < test_count && count < TESTS_MAX; i++) {
		if (is_wanted(request, tests[i]))
			chosen[count++] = tests[i];
	}
	return count;
}

static int exit_code(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_PASS:
		return EXIT_PASS;
	case VERDICT_SKIP:
		return EXIT_SKIP;
	case VERDICT_FAIL:
		return EXIT_FAIL;
	case VERDICT_INCONCLUSIVE:
	case VERDICT_ERROR:
	default:
		return EXIT_BROKEN;
	}
}

static int run_all(struct runner *runner, const struct request *request,
                   const struct test *const *chosen, size_t count)
{
	enum verdict worst = VERDICT_PASS;

	if (request->ktap)
		emit_ktap_plan(stdout, count);
	for (size_t i = 0; i < count && !runner_interrupted(runner); i++) {
		const struct report *report = runner_run(runner, chosen[i], &request->options);

		if (request->ktap)
			emit_ktap(stdout, report, i + 1U);
		else
			emit_json(stdout, report);
		if (report->verdict > worst &&
		    !(report->verdict == VERDICT_FAIL && report->test->kind != KIND_CONTRACT))
			worst = report->verdict;
	}
	if (ferror(stdout) != 0) {
		perror("coherence: standard output");
		return EXIT_BROKEN;
	}
	return runner_interrupted(runner) ? EXIT_BROKEN : exit_code(worst);
}

/* What the farm says to every test; an option on the command line goes before it. */
static int from_environment(const char *name, uint32_t most, uint32_t *value)
{
	const char *text = getenv(name);

	return text == NULL ? 0 : parse_number(name, text, most, value);
}

int command_run(int argc, char **argv)
{
	struct request request = {
		.options = {.seed = 1, .device = getenv("COHORT_DEVICE")},
		.sets = 1U << SET_CORE,
	};
	const struct test *chosen[TESTS_MAX];
	struct runner *runner;
	size_t count;

	if (from_environment("COHORT_BENCH_MS", 60000, &request.options.bench_ms) < 0 ||
	    from_environment("COHORT_ITERATIONS", 1000000, &request.options.iterations) < 0)
		return EXIT_USAGE;
	if (parse(argc, argv, &request) < 0)
		return EXIT_USAGE;
	count = choose(&request, chosen);
	if (count == 0)
		return EXIT_USAGE;
	runner = runner_new();
	if (runner == NULL)
		return EXIT_BROKEN;
	if (request.env)
		env_emit(stdout);
	return run_all(runner, &request, chosen, count);
}
