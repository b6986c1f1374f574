/* auth.h - who may do what: the only place that knows about tokens.
 *
 * Tokens are 32 random bytes in base64url. The store keeps their SHA-256; the admin token itself is in STATE/admin.token
 * (mode 0600) and nowhere else. Whoever deletes that file and restarts cohortd gets a new one, and the old one ends. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct auth; /* opaque; not changed after auth_open(): no lock */
struct err;
struct store;

/* Read STATE/admin.token, or make it, and see that the store knows its hash. NULL with *err, also when others than the
 * owner may read the file. */
struct auth *auth_open(struct store *store, const char *state_dir, int64_t now_us, struct err *err);
void auth_close(struct auth *auth); /* auth may be NULL */

/* Does the value of an Authorization header (may be NULL) carry a token that is known? In constant time. */
bool auth_allows(const struct auth *auth, const char *authorization);
