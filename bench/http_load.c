/* http_load - the clients of bench/run: submit jobs over HTTP and time them from outside.
 *
 *   http_load latency URL TOKEN JOB.json COUNT    one after the other: POST until the result is visible; p50, p90 in ms
 *   http_load throughput URL TOKEN JOB.json COUNT all at once, until the last is done: jobs/s, and CPU seconds of the
 *                                                 whole machine a job
 *   http_load submit URL TOKEN JOB.json CLIENTS SECONDS   keep-alive clients that only submit: submissions/s
 *
 * "Visible" means: an event stream opened beforehand announced the result, and GET of the job then shows it. Prints
 * "name value unit" lines. */
#include "cli/client.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

struct load {
	struct client_options options;
	json_t *job; /* owned */
	long count, clients;
	int64_t until_us;
	atomic_long done, failed;
};

static void die(const struct err *err)
{
	(void)fprintf(stderr, "http_load: %s\n", err->text);
	exit(1);
}

static long long submit(struct client *client, const struct load *load)
{
	struct err err;
	SCOPED_JSON reply = NULL;

	if (client_call(client, "POST", "/api/v1/jobs", load->job, &reply, &err) < 0)
		die(&err);
	return json_integer_value(json_object_get(reply, "id"));
}

/* The event stream of the whole farm, read by a thread of its own: the newest done job and how many are done. */
struct stream {
	const struct load *load;
	pthread_mutex_t lock;
	pthread_cond_t news;
	long long last_done;
	long done;
	bool stop, live;
};

static int on_event(void *arg, const char *kind, json_t *data)
{
	struct stream *s = arg;
	const char *state = json_string_value(json_object_get(data, "state"));
	bool stop;

	(void)pthread_mutex_lock(&s->lock);
	s->live = kind != NULL;
	if (kind && strcmp(kind, "job") == 0 && state && strcmp(state, "done") == 0) {
		s->last_done = json_integer_value(json_object_get(data, "job"));
		s->done++;
	}
	stop = s->stop;
	(void)pthread_cond_broadcast(&s->news);
	(void)pthread_mutex_unlock(&s->lock);
	return stop;
}

static void *stream_main(void *arg)
{
	struct stream *s = arg;
	struct err err;
	int64_t after = 0;
	struct client *client = client_open(&s->load->options, &err);

	if (!client || client_follow(client, "/api/v1/events", &after, on_event, s, &err) < 0)
		die(&err);
	client_close(client);
	return NULL;
}

static void stream_start(struct stream *s, const struct load *load, struct client *client,
                         pthread_t *thread)
{
	*s = (struct stream){.load = load};
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->news, NULL);
	if (pthread_create(thread, NULL, stream_main, s) != 0)
		die(&(struct err){.text = "no thread"});
	/* One job that is not counted shows that the stream is open. */
	for (;;) {
		struct timespec until;

		(void)submit(client, load);
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 2;
		(void)pthread_mutex_lock(&s->lock);
		while (s->done == 0 && pthread_cond_timedwait(&s->news, &s->lock, &until) == 0)
			;
		if (s->done > 0) {
			(void)pthread_mutex_unlock(&s->lock);
			return;
		}
		(void)pthread_mutex_unlock(&s->lock);
	}
}

static void stream_stop(struct stream *s, struct client *client, pthread_t thread)
{
	(void)pthread_mutex_lock(&s->lock);
	s->stop = true;
	(void)pthread_mutex_unlock(&s->lock);
	(void)submit(client, s->load); /* whose events end the stream */
	(void)pthread_join(thread, NULL);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void check_visible(struct client *client, long long job)
{
	SCOPED_STR path = xasprintf("/api/v1/jobs/%lld", job);
	SCOPED_JSON reply = NULL;
	struct err err;

	if (client_call(client, "GET", path, NULL, &reply, &err) < 0)
		die(&err);
	if (json_integer_value(json_object_get(reply, "arrived")) < 1)
		die(&(struct err){.text = "the job is done but its result is not visible"});
}

/* The value of sorted took below which percent of them lie, in ms. */
static void print_rank(const char *name, const int64_t *took, long count, long percent)
{
	long at = count * percent / 100;

	(void)printf("%s %.1f ms\n", name, (double)took[at] / 1000);
}

static void latency(struct load *load)
{
	struct err err;
	struct client *client = client_open(&load->options, &err);
	int64_t *took = xcalloc((size_t)load->count, sizeof(*took));
	struct stream s;
	pthread_t thread;

	if (!client)
		die(&err);
	stream_start(&s, load, client, &thread);
	for (long i = 0; i < load->count; i++) {
		int64_t start = time_mono_us();
		long long job = submit(client, load);

		(void)pthread_mutex_lock(&s.lock);
		while (s.last_done < job)
			(void)pthread_cond_wait(&s.news, &s.lock);
		(void)pthread_mutex_unlock(&s.lock);
		check_visible(client, job);
		took[i] = time_mono_us() - start;
	}
	stream_stop(&s, client, thread);
	qsort(took, (size_t)load->count, sizeof(*took), by_value);
	print_rank("ours_job_latency_p50", took, load->count, 50);
	print_rank("ours_job_latency_p90", took, load->count, 90);
	free(took);
	client_close(client);
}

/* Busy time of all processors since boot, in seconds (/proc/stat, USER_HZ is 100 on Linux). */
static double machine_cpu_s(void)
{
	SCOPED_STR text = fs_read_file("/proc/stat", 65536, NULL, NULL);
	unsigned long long busy = 0;
	char *next = text ? text + strcspn(text, " ") : NULL;

	/* user nice system idle iowait irq softirq */
	for (unsigned i = 0; next && i < 7; i++) {
		unsigned long long ticks = strtoull(next, &next, 10);

		if (i != 3 && i != 4)
			busy += ticks;
	}
	return (double)busy / 100;
}

static void throughput(struct load *load)
{
	struct err err;
	struct client *client = client_open(&load->options, &err);
	struct stream s;
	pthread_t thread;
	double cpu, seconds;
	int64_t start;
	long target;

	if (!client)
		die(&err);
	stream_start(&s, load, client, &thread);
	(void)pthread_mutex_lock(&s.lock);
	target = s.done + load->count;
	(void)pthread_mutex_unlock(&s.lock);
	start = time_mono_us();
	cpu = machine_cpu_s();
	for (long i = 0; i < load->count; i++)
		(void)submit(client, load);
	(void)pthread_mutex_lock(&s.lock);
	while (s.done < target)
		(void)pthread_cond_wait(&s.news, &s.lock);
	(void)pthread_mutex_unlock(&s.lock);
	seconds = (double)(time_mono_us() - start) / 1e6;
	cpu = machine_cpu_s() - cpu;
	stream_stop(&s, client, thread);
	(void)printf("ours_throughput_dev8 %.1f jobs/s\n", (double)load->count / seconds);
	(void)printf("ours_cpu_per_job %.5f s\n", cpu / (double)load->count);
	client_close(client);
}

static void *submit_main(void *arg)
{
	struct load *load = arg;
	struct err err;
	struct client *client = client_open(&load->options, &err);

	if (!client)
		die(&err);
	while (time_mono_us() < load->until_us) {
		if (submit(client, load) > 0)
			atomic_fetch_add(&load->done, 1);
	}
	client_close(client);
	return NULL;
}

static void submit_rate(struct load *load, long seconds)
{
	pthread_t *threads = xcalloc((size_t)load->clients, sizeof(*threads));
	int64_t start = time_mono_us();

	load->until_us = start + seconds * 1000000;
	for (long i = 0; i < load->clients; i++)
		if (pthread_create(&threads[i], NULL, submit_main, load) != 0)
			die(&(struct err){.text = "no thread"});
	for (long i = 0; i < load->clients; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("ours_submit_rest_par%ld_rate %.0f 1/s\n", load->clients,
	             (double)load->done / ((double)(time_mono_us() - start) / 1e6));
	free(threads);
}

int main(int argc, char **argv)
{
	struct load load = {0};
	struct err err;

	if (argc < 6 || sodium_init() < 0) {
		(void)fprintf(
			stderr,
			"usage: http_load latency|throughput|submit URL TOKEN JOB.json COUNT [SECONDS]\n");
		return 2;
	}
	load.options = (struct client_options){.server = argv[2], .token = argv[3]};
	load.job = jx_load(argv[4], 65536, &err);
	if (!load.job)
		die(&err);
	load.count = load.clients = strtol(argv[5], NULL, 10);
	if (strcmp(argv[1], "latency") == 0)
		latency(&load);
	else if (strcmp(argv[1], "throughput") == 0)
		throughput(&load);
	else if (strcmp(argv[1], "submit") == 0 && argc == 7)
		submit_rate(&load, strtol(argv[6], NULL, 10));
	else
		return 2;
	json_decref(load.job);
	return 0;
}
