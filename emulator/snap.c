#include "snap.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/xalloc.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC      "cohort-emu snapshot\n"
#define DIGEST     32u
#define FILE_MAX   ((size_t)1 << 30)
#define FIRST_ROOM ((size_t)1 << 20)

/* What a file starts with; the digest is of the rest. */
struct header {
	char magic[20];
	uint32_t version;
	uint8_t digest[DIGEST];
};

struct snap {
	bool loading, failed;
	char part[24];  /* the one being saved or loaded */
	uint8_t *bytes; /* owned; the header is in front */
	size_t at, len, room;
};

struct snap *snap_writer(void)
{
	struct snap *snap = xcalloc(1, sizeof(*snap));

	snap->room = FIRST_ROOM;
	snap->bytes = xcalloc(1, snap->room);
	snap->at = snap->len = sizeof(struct header);
	return snap;
}

static void digest_of(const struct snap *snap, uint8_t digest[DIGEST])
{
	(void)crypto_generichash(digest, DIGEST, snap->bytes + sizeof(struct header),
	                         snap->len - sizeof(struct header), NULL, 0);
}

static int check_header(const struct snap *snap, const char *path, struct err *err)
{
	struct header header;
	uint8_t digest[DIGEST];

	if (snap->len < sizeof(header) || memcmp(snap->bytes, MAGIC, sizeof(header.magic)) != 0)
		return err_set(err, ERR_INVALID, "%s: no snapshot", path);
	memcpy(&header, snap->bytes, sizeof(header));
	if (header.version != SNAP_VERSION)
		return err_set(err, ERR_INVALID,
		               "%s: a snapshot of version %u, and this program takes %u", path,
		               header.version, SNAP_VERSION);
	digest_of(snap, digest);
	if (memcmp(digest, header.digest, DIGEST) != 0)
		return err_set(err, ERR_INVALID, "%s: truncated or damaged", path);
	return 0;
}

struct snap *snap_open(const char *path, struct err *err)
{
	struct snap *snap = xcalloc(1, sizeof(*snap));

	snap->loading = true;
	snap->bytes = (uint8_t *)fs_read_file(path, FILE_MAX, &snap->len, err);
	snap->at = sizeof(struct header);
	if (!snap->bytes || check_header(snap, path, err) < 0) {
		snap_free(snap);
		return NULL;
	}
	return snap;
}

int snap_write(const struct snap *snap, const char *path, struct err *err)
{
	struct header header = {.magic = MAGIC, .version = SNAP_VERSION};

	digest_of(snap, header.digest);
	memcpy(snap->bytes, &header, sizeof(header));
	return fs_replace_file(path, snap->bytes, snap->len, 0600, err);
}

void snap_free(struct snap *snap)
{
	if (!snap)
		return;
	free(snap->bytes);
	free(snap);
}

bool snap_loading(const struct snap *snap)
{
	return snap->loading;
}

static void append(struct snap *snap, const void *bytes, size_t len)
{
	while (snap->room - snap->len < len) {
		snap->room *= 2;
		snap->bytes = xrealloc(snap->bytes, snap->room);
	}
	memcpy(snap->bytes + snap->len, bytes, len);
	snap->len += len;
}

void snap_bytes(struct snap *snap, void *at, size_t len)
{
	if (!snap->loading) {
		append(snap, at, len);
		return;
	}
	if (snap->failed || snap->len - snap->at < len) {
		snap->failed = true;
		memset(at, 0, len);
		return;
	}
	memcpy(at, snap->bytes + snap->at, len);
	snap->at += len;
}

void snap_part(struct snap *snap, const char *name)
{
	char saved[sizeof(snap->part)] = "";

	if (snap->failed)
		return;
	memset(snap->part, 0, sizeof(snap->part));
	memcpy(snap->part, name, strnlen(name, sizeof(snap->part) - 1));
	memcpy(saved, snap->part, sizeof(saved));
	SNAP(snap, saved);
	snap_need(snap, memcmp(saved, snap->part, sizeof(saved)) == 0);
}

bool snap_need(struct snap *snap, bool ok)
{
	snap->failed = snap->failed || (snap->loading && !ok);
	return ok;
}

int snap_finish(struct snap *snap, struct err *err)
{
	if (snap->failed)
		return err_set(err, ERR_INVALID,
		               "the snapshot's \"%s\" is not what this machine has", snap->part);
	if (snap->loading && snap->at != snap->len)
		return err_set(err, ERR_INVALID, "the snapshot has more than this machine");
	return 0;
}
