#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <string.h>

/* What is known of the job: the last GET of it, kept up to date by events. */
struct watch {
	struct client *client;
	long long job;
	json_t *runs;    /* owned: run summaries by id (as text) */
	json_t *current; /* owned: what each run is doing, by id */
	json_t *builds;  /* owned: kernels that the farm makes, by the run that makes them */
	json_t *strange; /* owned: ids of runs that are none of the job's */
	long long planned, arrived, round;
	bool ended, live;
};

static json_t *run_of(struct watch *w, long long id, char key[24])
{
	(void)snprintf(key, 24, "%lld", id);
	return json_object_get(w->runs, key);
}

/* How wide the columns of text have to be. */
struct widths {
	int cache, build, board;
};

static int widest(int width, const char *text)
{
	int len = (int)strlen(text);

	return len > width && len < 64 ? len : width;
}

static struct widths measure(const struct watch *w)
{
	struct widths widths = {0};
	const char *key;
	json_t *run;

	json_object_foreach(w->runs, key, run)
	{
		widths.cache = widest(widths.cache, field_text(run, "cache"));
		widths.build =
			widest(widths.build, field_text(json_object_get(run, "build"), "name"));
		widths.board = widest(widths.board, field_text(run, "board"));
	}
	return widths;
}

static void draw_run(struct watch *w, const struct widths *widths, const char *key,
                     const json_t *run)
{
	const char *fault = field_text(json_object_get(run, "fault"), "code");
	const char *doing = json_string_value(json_object_get(w->current, key));
	json_t *verdicts = json_object_get(run, "verdicts"), *count;
	const char *verdict;
	char tally[128] = "";

	json_object_foreach(verdicts, verdict, count)
	{
		size_t used = strlen(tally);

		(void)snprintf(tally + used, sizeof(tally) - used, " %s %lld", verdict,
		               (long long)json_integer_value(count));
	}
	term_redraw_line("  %-*s  %-*s  %-*s  %-9s %3lld/%-3lld %s%s %s", widths->cache,
	                 field_text(run, "cache"), widths->build,
	                 field_text(json_object_get(run, "build"), "name"), widths->board,
	                 field_text(run, "board"), field_text(run, "state"),
	                 field_int(run, "arrived"), field_int(run, "planned"), doing ? doing : "",
	                 tally, fault);
}

/* Runs of a column on a class, all rounds together. */
static json_t *rounds_of(struct watch *w)
{
	json_t *lines = json_object(), *run, *count;
	const char *key, *verdict;

	json_object_foreach(w->runs, key, run)
	{
		SCOPED_STR name = xasprintf("%s/%s/%lld", field_text(run, "cache"),
		                            field_text(run, "kind"), field_int(run, "column"));
		json_t *line = json_object_get(lines, name), *tally;

		if (!line) {
			line = json_pack("{s:I, s:I, s:{}}", "arrived", (json_int_t)0, "planned",
			                 (json_int_t)0, "verdicts");
			(void)json_object_set_new(lines, name, line);
		}
		tally = json_object_get(line, "verdicts");
		json_object_foreach(json_object_get(run, "verdicts"), verdict, count)
		{
			json_int_t sum = field_int(tally, verdict) + json_integer_value(count);

			(void)json_object_set_new(tally, verdict, json_integer(sum));
		}
		(void)json_object_set_new(
			line, "arrived",
			json_integer(field_int(line, "arrived") + field_int(run, "arrived")));
		(void)json_object_set_new(
			line, "planned",
			json_integer(field_int(line, "planned") + field_int(run, "planned")));
		/* What stands still is that of its last run. */
		for (unsigned i = 0; i < 4; i++) {
			static const char *const kept[] = {"cache", "build", "board", "state"};

			(void)json_object_set(line, kept[i], json_object_get(run, kept[i]));
		}
		(void)json_object_set(line, "fault", json_object_get(run, "fault"));
	}
	return lines;
}

static void draw_builds(struct watch *w)
{
	const char *key;
	json_t *build;

	json_object_foreach(w->builds, key, build)
	{
		const char *doing = json_string_value(json_object_get(w->current, key));
		const char *text = field_text(json_object_get(build, "failure"), "text");

		if (strcmp(field_text(build, "state"), "complete") != 0)
			term_redraw_line("  %s  %-9s %s%.*s", field_text(build, "name"),
			                 field_text(build, "state"), doing ? doing : "",
			                 (int)strcspn(text, "\n"), text);
	}
}

static void draw(struct watch *w)
{
	struct widths widths = measure(w);
	SCOPED_JSON rounds = NULL;
	const char *key;
	json_t *run;

	if (!term_is_tty())
		return;
	term_redraw_begin();
	term_redraw_line("job %lld  %lld of %lld results%s", w->job, w->arrived, w->planned,
	                 w->live ? "" : "  (connection lost, trying again)");
	draw_builds(w);
	if (w->round > 1) {
		term_redraw_line("  round %lld", w->round);
		rounds = rounds_of(w);
		json_object_foreach(rounds, key, run) draw_run(w, &widths, key, run);
	} else {
		json_object_foreach(w->runs, key, run) draw_run(w, &widths, key, run);
	}
	(void)fflush(stdout);
}

/* Builds that a run makes, or made, by that run. */
static void take_builds(struct watch *w, json_t *job)
{
	json_t *build;
	size_t i;

	json_array_foreach(json_object_get(job, "builds"), i, build)
	{
		char key[24];

		if (field_int(build, "run") <= 0)
			continue;
		(void)snprintf(key, sizeof(key), "%lld", field_int(build, "run"));
		(void)json_object_set(w->builds, key, build);
	}
	w->round = field_int(job, "round");
}

/* Ask for the job as it is now. */
static int refresh(struct watch *w, struct err *err)
{
	SCOPED_STR path = xasprintf("/api/v1/jobs/%lld", w->job);
	SCOPED_JSON job = NULL;
	const char *state;
	json_t *run;
	size_t i;

	if (client_call(w->client, "GET", path, NULL, &job, err) < 0)
		return -1;
	json_array_foreach(json_object_get(job, "runs"), i, run)
	{
		char key[24];

		(void)snprintf(key, sizeof(key), "%lld", field_int(run, "id"));
		(void)json_object_set(w->runs, key, run);
	}
	take_builds(w, job);
	w->planned = field_int(job, "planned");
	w->arrived = field_int(job, "arrived");
	state = field_text(job, "state");
	w->ended = strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0;
	return 0;
}

/* "NAME failed: make: mm.c: ..." */
static char *build_words(const json_t *data)
{
	const json_t *failure = json_object_get(data, "failure");
	const char *text = field_text(failure, "text");

	return xasprintf("%s %s%s%s%s%.*s", field_text(data, "name"),
	                 field_text(data, "build_state"), json_is_object(failure) ? ": " : "",
	                 field_text(failure, "step"), *text ? ": " : "", (int)strcspn(text, "\n"),
	                 text);
}

/* A line for those who do not see the block: logs, pipes. */
static void say(struct watch *w, const char *kind, json_t *data)
{
	json_t *fault = json_object_get(data, "fault");
	const char *board = field_text(data, "board"), *stage = field_text(data, "stage");
	SCOPED_STR text = NULL;
	char key[24];

	if (term_is_tty())
		return;
	if (strcmp(kind, "run") == 0 && json_is_object(fault))
		text = xasprintf("%s: %s (%s): %s", field_text(data, "state"),
		                 field_text(fault, "code"), field_text(fault, "stage"),
		                 field_text(fault, "detail"));
	else if (strcmp(kind, "run") == 0)
		text = xstrdup(strcmp(stage, "build") == 0 ? "waits for its kernel"
		               : *stage                    ? stage
		                                           : field_text(data, "state"));
	else if (strcmp(kind, "result") == 0 && !run_of(w, field_int(data, "run"), key))
		text = xasprintf("%s %s %s", field_text(data, "test"), field_text(data, "verdict"),
		                 field_text(data, "reason"));
	else if (strcmp(kind, "result") == 0)
		text = xasprintf("%s %s %s  [%lld/%lld]", field_text(data, "test"),
		                 field_text(data, "verdict"), field_text(data, "reason"),
		                 w->arrived, w->planned);
	else if (strcmp(kind, "warning") == 0)
		text = xasprintf("kernel %s", field_text(data, "warning"));
	else if (strcmp(kind, "build") == 0)
		text = build_words(data);
	if (text)
		(void)printf("run %lld%s%s: %s\n", field_int(data, "run"), *board ? " on " : "",
		             board, text);
	(void)fflush(stdout);
}

/* Another round has begun, or another run makes a kernel: what is not known yet has nothing counted yet. */
static void learn(struct watch *w, const char *id)
{
	SCOPED_STR path = xasprintf("/api/v1/jobs/%lld", w->job);
	SCOPED_JSON job = NULL;
	json_t *run;
	size_t i;

	if (json_object_get(w->strange, id) ||
	    client_call(w->client, "GET", path, NULL, &job, NULL) < 0)
		return;
	take_builds(w, job);
	w->planned = field_int(job, "planned");
	json_array_foreach(json_object_get(job, "runs"), i, run)
	{
		char key[24];

		(void)snprintf(key, sizeof(key), "%lld", field_int(run, "id"));
		if (json_object_get(w->runs, key))
			continue;
		(void)json_object_set_new(run, "arrived", json_integer(0));
		(void)json_object_set_new(run, "verdicts", json_object());
		(void)json_object_set(w->runs, key, run);
	}
	if (!json_object_get(w->runs, id) && !json_object_get(w->builds, id))
		(void)json_object_set_new(w->strange, id, json_true());
}

static void update_build(struct watch *w, const json_t *data)
{
	const char *key;
	json_t *build;

	json_object_foreach(w->builds, key, build)
	{
		if (field_int(build, "id") != field_int(data, "build"))
			continue;
		(void)json_object_set(build, "state", json_object_get(data, "build_state"));
		(void)json_object_set(build, "failure", json_object_get(data, "failure"));
	}
}

/* What a run is doing, tests or a kernel. */
static void update_doing(struct watch *w, const char *kind, const char *key, json_t *data)
{
	if (strcmp(kind, "run") == 0) {
		(void)json_object_set(w->current, key, json_object_get(data, "stage"));
	} else if (strcmp(kind, "test") == 0) {
		(void)json_object_set(w->current, key, json_object_get(data, "test"));
	} else if (strcmp(kind, "progress") == 0) {
		long long total = field_int(data, "total");
		const char *stage = field_text(data, "stage");
		SCOPED_STR text = xasprintf("%s %s %lld%%", strcmp(stage, "test") == 0 ? "" : stage,
		                            field_text(data, "what"),
		                            total > 0 ? field_int(data, "done") * 100 / total : 0);

		(void)json_object_set_new(w->current, key, json_string(text));
	}
}

/* A new attempt starts the run's results anew. */
static void forget_attempt(struct watch *w, json_t *run, const json_t *data)
{
	if (field_int(data, "attempt") <= field_int(run, "attempt"))
		return;
	w->arrived -= field_int(run, "arrived");
	(void)json_object_set_new(run, "arrived", json_integer(0));
	(void)json_object_set_new(run, "verdicts", json_object());
}

static void count_result(struct watch *w, json_t *run, const json_t *data)
{
	const char *verdict = field_text(data, "verdict");
	json_t *verdicts = json_object_get(run, "verdicts");

	w->arrived++;
	(void)json_object_set_new(run, "arrived", json_integer(field_int(run, "arrived") + 1));
	(void)json_object_set_new(verdicts, verdict,
	                          json_integer(field_int(verdicts, verdict) + 1));
}

static void update_run(struct watch *w, const char *kind, json_t *data)
{
	static const char *const copied[] = {"state", "board", "fault", "attempt"};
	char key[24];
	json_t *run = run_of(w, field_int(data, "run"), key);

	if (!run && !json_object_get(w->builds, key) && strcmp(kind, "run") == 0) {
		learn(w, key);
		run = json_object_get(w->runs, key);
	}
	if (!run && !json_object_get(w->builds, key))
		return;
	update_doing(w, kind, key, data);
	if (run && strcmp(kind, "run") == 0) {
		forget_attempt(w, run, data);
		for (unsigned i = 0; i < sizeof(copied) / sizeof(*copied); i++)
			if (json_object_get(data, copied[i]))
				(void)json_object_set(run, copied[i],
				                      json_object_get(data, copied[i]));
	} else if (run && strcmp(kind, "result") == 0) {
		count_result(w, run, data);
	}
}

static int on_event(void *arg, const char *kind, json_t *data)
{
	struct watch *w = arg;

	w->live = kind != NULL;
	if (kind) {
		update_run(w, kind, data);
		if (strcmp(kind, "build") == 0)
			update_build(w, data);
		if (strcmp(kind, "job") == 0) {
			const char *state = field_text(data, "state");

			w->ended = strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0;
		}
		say(w, kind, data);
	}
	draw(w);
	return w->ended;
}

/* Counters start at zero when the events are read from the first: they are then counted, not guessed. */
static void reset_counts(struct watch *w)
{
	const char *key;
	json_t *run;

	w->arrived = 0;
	json_object_foreach(w->runs, key, run)
	{
		(void)json_object_set_new(run, "attempt", json_integer(0));
		(void)json_object_set_new(run, "arrived", json_integer(0));
		(void)json_object_set_new(run, "verdicts", json_object());
	}
}

/* A column without a kernel is the first thing to know. */
static void say_failed_builds(const struct watch *w)
{
	const char *key;
	json_t *build;

	json_object_foreach(w->builds, key, build)
	{
		SCOPED_STR text = xstrdup(field_text(json_object_get(build, "failure"), "text"));

		if (strcmp(field_text(build, "state"), "failed") == 0)
			(void)printf("%s does not build: %s: %s\n", field_text(build, "name"),
			             field_text(json_object_get(build, "failure"), "step"),
			             term_safe(text, true));
	}
}

int watch_job(struct client *client, long long job, struct err *err)
{
	SCOPED_JSON runs = json_object();
	SCOPED_JSON current = json_object();
	SCOPED_JSON builds = json_object();
	SCOPED_JSON strange = json_object();
	struct watch w = {.client = client,
	                  .job = job,
	                  .runs = runs,
	                  .current = current,
	                  .builds = builds,
	                  .strange = strange,
	                  .live = true};
	SCOPED_STR path = xasprintf("/api/v1/events?job=%lld&after=0", job);
	int64_t after = 0;

	if (refresh(&w, err) < 0)
		return -1;
	if (!w.ended) {
		reset_counts(&w);
		if (client_follow(client, path, &after, on_event, &w, err) < 0 ||
		    refresh(&w, err) < 0)
			return -1;
	}
	draw(&w);
	term_redraw_end();
	say_failed_builds(&w);
	(void)printf("job %lld: %lld of %lld results\n", job, w.arrived, w.planned);
	return w.arrived == w.planned ? EXIT_OK : EXIT_INCOMPLETE;
}

int cmd_watch(struct client *client, int argc, char **argv, struct err *err)
{
	long long job;

	if (argc != 2)
		return EXIT_USAGE;
	job = cmd_id(argv[1], "job", err);
	return job < 0 ? -1 : watch_job(client, job, err);
}
