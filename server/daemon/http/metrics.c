#include "server/daemon/http/metrics.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/stats.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

/* Statuses that the server answers with; the last row counts all others. */
static const int statuses[] = {200, 201, 202, 206, 304, 400, 401, 403, 404, 405, 409,
                               411, 413, 415, 416, 421, 422, 429, 500, 503, 507, 0};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

/* Upper bounds of the histogram's buckets in microseconds. */
static const int64_t buckets[] = {250,   500,    1000,   2500,    5000,    10000,
                                  25000, 100000, 500000, 2500000, 10000000};
#define BUCKETS (sizeof(buckets) / sizeof(buckets[0]))

struct route_count {
	const struct http_route *route; /* NULL: none matched */
	_Atomic uint64_t by_status[STATUSES];
};

struct metrics {
	struct route_count *routes; /* the last one is for no route */
	size_t route_count;
	_Atomic uint64_t commit_bucket[BUCKETS + 1], commit_sum_us;
	_Atomic int streams;
	pthread_mutex_t mutex; /* of totals */
	struct stats_totals totals;
};

struct metrics *metrics_new(const struct http_route *const *tables)
{
	struct metrics *m = xcalloc(1, sizeof(*m));

	(void)pthread_mutex_init(&m->mutex, NULL);
	for (const struct http_route *const *table = tables; *table; table++)
		for (const struct http_route *row = *table; row->pattern; row++)
			m->route_count++;
	m->routes = xcalloc(m->route_count + 1, sizeof(*m->routes));
	m->route_count = 0;
	for (const struct http_route *const *table = tables; *table; table++)
		for (const struct http_route *row = *table; row->pattern; row++)
			m->routes[m->route_count++].route = row;
	return m;
}

void metrics_free(struct metrics *m)
{
	(void)pthread_mutex_destroy(&m->mutex);
	free(m->routes);
	free(m);
}

void metrics_request(struct metrics *m, const struct http_route *route, int status)
{
	size_t i = 0, k = 0;

	while (i < m->route_count && m->routes[i].route != route)
		i++;
	while (k < STATUSES - 1 && statuses[k] != status)
		k++;
	atomic_fetch_add(&m->routes[i].by_status[k], 1);
}

void metrics_commit(struct metrics *m, int64_t us)
{
	size_t i = 0;

	while (i < BUCKETS && us > buckets[i])
		i++;
	atomic_fetch_add(&m->commit_bucket[i], 1);
	atomic_fetch_add(&m->commit_sum_us, us > 0 ? (uint64_t)us : 0);
}

int metrics_streams(struct metrics *m, int change)
{
	return atomic_fetch_add(&m->streams, change) + change;
}

static void print_requests(struct metrics *m, FILE *out)
{
	(void)fputs("# HELP cohortd_http_requests_total Requests answered, by route and status.\n"
	            "# TYPE cohortd_http_requests_total counter\n",
	            out);
	for (size_t i = 0; i <= m->route_count; i++)
		for (size_t k = 0; k < STATUSES; k++) {
			uint64_t n = atomic_load(&m->routes[i].by_status[k]);
			const struct http_route *route = m->routes[i].route;

			if (n == 0)
				continue;
			(void)fprintf(out, "cohortd_http_requests_total{route=\"%s\",code=\"",
			              route ? route->operation : "other");
			if (statuses[k])
				(void)fprintf(out, "%d\"} %" PRIu64 "\n", statuses[k], n);
			else
				(void)fprintf(out, "other\"} %" PRIu64 "\n", n);
		}
}

static void print_commits(struct metrics *m, FILE *out)
{
	uint64_t total = 0;

	(void)fputs("# HELP cohortd_commit_seconds From handing a write in until it is on disk.\n"
	            "# TYPE cohortd_commit_seconds histogram\n",
	            out);
	for (size_t i = 0; i < BUCKETS; i++) {
		total += atomic_load(&m->commit_bucket[i]);
		(void)fprintf(out, "cohortd_commit_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
		              (double)buckets[i] / 1e6, total);
	}
	total += atomic_load(&m->commit_bucket[BUCKETS]);
	(void)fprintf(out,
	              "cohortd_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64
	              "\ncohortd_commit_seconds_sum %.6f\ncohortd_commit_seconds_count %" PRIu64
	              "\n",
	              total, (double)atomic_load(&m->commit_sum_us) / 1e6, total);
}

static void print_group(FILE *out, const char *name, const char *type, const char *help,
                        const char *label, const struct stats_count *counts, size_t count)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(out, "%s{%s=\"%s\"} %" PRId64 "\n", name, label, counts[i].word,
		              counts[i].count);
}

static void print_one(FILE *out, const char *name, const char *help, int64_t value)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %" PRId64 "\n", name, help, name,
	              name, value);
}

char *metrics_text(struct metrics *m, struct db *db, size_t *len, struct err *err)
{
	struct stats_gauges gauges;
	char *text = NULL;
	FILE *out;
	int rc;

	if (stats_gauges(db, &gauges, err) < 0)
		return NULL;
	out = open_memstream(&text, len);
	if (!out)
		abort();
	(void)fprintf(out,
	              "# HELP cohortd_build_info The program that answers.\n"
	              "# TYPE cohortd_build_info gauge\ncohortd_build_info{version=\"%s\"} 1\n",
	              COHORT_VERSION);
	print_group(out, "cohortd_boards", "gauge", "Boards, by state.", "state", gauges.boards,
	            STATS_BOARD_STATES);
	print_group(out, "cohortd_runs", "gauge", "Runs, by state.", "state", gauges.runs,
	            STATS_RUN_STATES);
	print_one(out, "cohortd_queue_length", "Runs that wait for a board.", gauges.queue);
	print_one(out, "cohortd_event_streams", "Clients that follow events.",
	          atomic_load(&m->streams));
	(void)pthread_mutex_lock(&m->mutex);
	rc = stats_totals_update(db, &m->totals, err);
	print_group(out, "cohortd_results_total", "counter", "Results of tests, by verdict.",
	            "verdict", m->totals.verdicts, STATS_VERDICTS);
	(void)pthread_mutex_unlock(&m->mutex);
	print_requests(m, out);
	print_commits(m, out);
	(void)fclose(out);
	if (rc == 0)
		return text;
	free(text);
	return NULL;
}
