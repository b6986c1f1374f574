#include "server/daemon/http/routes.h"

/* One a line, however many there are: two who add one do not meet. */
/* clang-format off */
const struct http_route *const http_routes[] = {
	http_boards_routes,
	http_builds_routes,
	http_compare_routes,
	http_deliveries_routes,
	http_events_routes,
	http_export_routes,
	http_fetches_routes,
	http_files_routes,
	http_jobs_routes,
	http_known_issues_routes,
	http_results_routes,
	http_runs_routes,
	http_schedules_routes,
	http_series_routes,
	http_service_routes,
	http_suites_routes,
	NULL,
};
