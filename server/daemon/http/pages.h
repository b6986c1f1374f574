/* pages.h - the files of the page, from --web DIR: whatever is not below /api. */
#pragma once
#include "server/daemon/http/http.h"

/* Not in the tables: it takes what they leave. */
extern const struct http_route pages_route;
