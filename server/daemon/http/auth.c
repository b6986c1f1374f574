#include "server/daemon/http/auth.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/store/store.h"
#include "server/daemon/store/tokens.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define TOKEN_BYTES 32
#define TOKEN_MIN   32 /* characters of a token that the owner put into the file */
#define TOKEN_CAP   1024

struct auth {
	json_t *hashes; /* owned: hex strings */
};

/* Make a token and bring it to disk. The caller frees it. */
static char *token_make(const char *path, struct err *err)
{
	unsigned char raw[TOKEN_BYTES];
	char text[64];
	SCOPED_STR line = NULL;

	randombytes_buf(raw, sizeof(raw));
	(void)sodium_bin2base64(text, sizeof(text), raw, sizeof(raw),
	                        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	line = xasprintf("%s\n", text);
	if (fs_replace_file(path, line, strlen(line), 0600, err) < 0)
		return NULL;
	log_note("made the admin token: %s", path);
	return xstrdup(text);
}

/* The token in the file, or NULL with *err (ERR_NOTFOUND: there is none). The caller frees it. */
static char *token_read(const char *path, struct err *err)
{
	struct stat st;
	SCOPED_STR text = NULL;
	size_t len;

	if (stat(path, &st) < 0) {
		(void)err_errno(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s", path);
		return NULL;
	}
	if (st.st_mode & 077) {
		(void)err_set(err, ERR_DENIED, "%s: mode is %04o, others may read it: chmod 600",
		              path, (unsigned)st.st_mode & 07777);
		return NULL;
	}
	text = fs_read_file(path, TOKEN_CAP, NULL, err);
	if (!text)
		return NULL;
	len = strcspn(text, "\r\n");
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			len = 0;
	if (len < TOKEN_MIN) {
		(void)err_set(err, ERR_INVALID,
		              "%s: holds no token of at least %d visible ASCII characters", path,
		              TOKEN_MIN);
		return NULL;
	}
	return take_str(&text);
}

struct admin_write {
	const char *hash;
	int64_t now_us;
	json_t *hashes;
};

static int admin_write(struct db *db, void *arg, struct err *err)
{
	struct admin_write *w = arg;

	if (token_set(db, "admin", w->hash, w->now_us, err) < 0)
		return -1;
	w->hashes = token_hashes(db, err);
	return w->hashes ? 0 : -1;
}

struct auth *auth_open(struct store *store, const char *state_dir, int64_t now_us, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/admin.token", state_dir);
	SCOPED_STR token = token_read(path, err);
	char hash[SHA256_HEX];
	struct admin_write write = {.hash = hash, .now_us = now_us};
	struct auth *auth;

	if (!token && err->kind == ERR_NOTFOUND)
		token = token_make(path, err);
	if (!token)
		return NULL;
	sha256_hex(token, strlen(token), hash);
	sodium_memzero(token, strlen(token));
	if (store_write(store, admin_write, &write, err) < 0)
		return NULL;
	auth = xcalloc(1, sizeof(*auth));
	auth->hashes = write.hashes;
	return auth;
}

void auth_close(struct auth *auth)
{
	if (!auth)
		return;
	json_decref(auth->hashes);
	free(auth);
}

bool auth_allows(const struct auth *auth, const char *authorization)
{
	char hash[SHA256_HEX];
	bool known = false;
	json_t *one;
	size_t i;

	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
		return false;
	authorization += 7 + strspn(authorization + 7, " ");
	sha256_hex(authorization, strlen(authorization), hash);
	json_array_foreach(auth->hashes, i, one)
	{
		if (json_string_length(one) == SHA256_HEX - 1 &&
		    sodium_memcmp(json_string_value(one), hash, SHA256_HEX - 1) == 0)
			known = true;
	}
	return known;
}
