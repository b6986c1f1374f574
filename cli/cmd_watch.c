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
	long long planned, arrived;
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

static void draw(struct watch *w)
{
	struct widths widths = measure(w);
	const char *key;
	json_t *run;

	if (!term_is_tty())
		return;
	term_redraw_begin();
	term_redraw_line("job %lld  %lld of %lld results%s", w->job, w->arrived, w->planned,
	                 w->live ? "" : "  (connection lost, trying again)");
	json_object_foreach(w->runs, key, run) draw_run(w, &widths, key, run);
	(void)fflush(stdout);
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
	w->planned = field_int(job, "planned");
	w->arrived = field_int(job, "arrived");
	state = field_text(job, "state");
	w->ended = strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0;
	return 0;
}

/* A line for those who do not see the block: logs, pipes. */
static void say(struct watch *w, const char *kind, json_t *data)
{
	json_t *fault = json_object_get(data, "fault");
	const char *board = field_text(data, "board"), *stage = field_text(data, "stage");
	SCOPED_STR text = NULL;

	if (term_is_tty())
		return;
	if (strcmp(kind, "run") == 0 && json_is_object(fault))
		text = xasprintf("%s: %s (%s): %s", field_text(data, "state"),
		                 field_text(fault, "code"), field_text(fault, "stage"),
		                 field_text(fault, "detail"));
	else if (strcmp(kind, "run") == 0)
		text = xstrdup(*stage ? stage : field_text(data, "state"));
	else if (strcmp(kind, "result") == 0)
		text = xasprintf("%s %s %s  [%lld/%lld]", field_text(data, "test"),
		                 field_text(data, "verdict"), field_text(data, "reason"),
		                 w->arrived, w->planned);
	else if (strcmp(kind, "warning") == 0)
		text = xasprintf("kernel %s", field_text(data, "warning"));
	if (text)
		(void)printf("run %lld%s%s: %s\n", field_int(data, "run"), *board ? " on " : "",
		             board, text);
	(void)fflush(stdout);
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

static void update_run(struct watch *w, const char *kind, json_t *data)
{
	static const char *const copied[] = {"state", "board", "fault", "attempt"};
	char key[24];
	json_t *run = run_of(w, field_int(data, "run"), key);

	if (!run)
		return;
	if (strcmp(kind, "run") == 0) {
		forget_attempt(w, run, data);
		for (unsigned i = 0; i < sizeof(copied) / sizeof(*copied); i++)
			if (json_object_get(data, copied[i]))
				(void)json_object_set(run, copied[i],
				                      json_object_get(data, copied[i]));
		(void)json_object_set(w->current, key, json_object_get(data, "stage"));
	} else if (strcmp(kind, "test") == 0) {
		(void)json_object_set(w->current, key, json_object_get(data, "test"));
	} else if (strcmp(kind, "progress") == 0) {
		long long total = field_int(data, "total");
		SCOPED_STR text = xasprintf("%s %s %lld%%", field_text(data, "stage"),
		                            field_text(data, "what"),
		                            total > 0 ? field_int(data, "done") * 100 / total : 0);

		(void)json_object_set_new(w->current, key, json_string(text));
	} else if (strcmp(kind, "result") == 0) {
		const char *verdict = field_text(data, "verdict");
		json_t *verdicts = json_object_get(run, "verdicts");

		w->arrived++;
		(void)json_object_set_new(run, "arrived",
		                          json_integer(field_int(run, "arrived") + 1));
		(void)json_object_set_new(verdicts, verdict,
		                          json_integer(field_int(verdicts, verdict) + 1));
	}
}

static int on_event(void *arg, const char *kind, json_t *data)
{
	struct watch *w = arg;

	w->live = kind != NULL;
	if (kind) {
		update_run(w, kind, data);
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

int watch_job(struct client *client, long long job, struct err *err)
{
	SCOPED_JSON runs = json_object();
	SCOPED_JSON current = json_object();
	struct watch w = {
		.client = client, .job = job, .runs = runs, .current = current, .live = true};
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
