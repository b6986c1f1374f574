/* requests.h - the parts of an attempt's request that the store knows. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;

/* "build" of request.json: {"id","name","release","build_id","cmdline","files":{ROLE:{"sha256","size"}}}; paths are
 * the caller's to add. A reference that the caller owns, or NULL with *err. */
json_t *store_request_build(struct db *db, int64_t build, struct err *err);

/* The recipe of a build that the farm makes, as the text that its hash is of. As above. */
json_t *store_request_recipe(struct db *db, int64_t build, struct err *err);
