/* routes.h - the tables of all resources. To add one: a file res_NAME.c with its table, a line here and one in
 * routes.c, and its paths in openapi.json. */
#pragma once
#include "server/daemon/http/http.h"

extern const struct http_route http_boards_routes[];
extern const struct http_route http_builds_routes[];
extern const struct http_route http_compare_routes[];
extern const struct http_route http_deliveries_routes[];
extern const struct http_route http_events_routes[];
extern const struct http_route http_export_routes[];
extern const struct http_route http_fetches_routes[];
extern const struct http_route http_files_routes[];
extern const struct http_route http_jobs_routes[];
extern const struct http_route http_known_issues_routes[];
extern const struct http_route http_results_routes[];
extern const struct http_route http_runs_routes[];
extern const struct http_route http_schedules_routes[];
extern const struct http_route http_series_routes[];
extern const struct http_route http_service_routes[];
extern const struct http_route http_suites_routes[];

/* All of them, ended by NULL. */
extern const struct http_route *const http_routes[];
