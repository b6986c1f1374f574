/* series_files.h - the files behind a series: the mails that came, the patches that are kept. For res_series.c, and for what
 * comes from a builder (server/daemon/ranges). Of ctx they use the store and the state directory. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct http_context;
struct http_req;
struct jx_errors;
struct series_revision;

/* A file of mails. */
struct series_text {
	const char *text;
	size_t len;
	void *map; /* what series_text_close() unmaps, or NULL */
};

/* The uploaded file, mapped. -1 with a complaint at "/file" when it is not there, or with *err. */
int series_text_open(const struct http_context *ctx, const char *sha256, struct series_text *text,
                     struct jx_errors *errors, struct err *err);
void series_text_close(struct series_text *text);

/* Bring each patch to disk as a file under its SHA-256, as an upload would. */
int series_files_keep(const struct http_context *ctx, const struct series_revision *revision,
                      struct err *err);

/* Reading mails takes as much memory as they are long: one file at a time, whoever reads. */
void series_files_begin(void);
void series_files_end(void);

/* Inside a write transaction: where the revision belongs, and its rows when it is new (*fresh); its files are kept. name: the
 * user's word for the series, or NULL. 0, or -1 with *err (ERR_CONFLICT). */
struct db;
struct series_place;
int series_files_add(struct db *db, const struct series_revision *revision, const char *name,
                     struct series_place *place, bool *fresh, int64_t now_us, struct err *err);

/* Reply the patches (store/series.h; taken over), one behind the other. */
int series_files_reply(struct http_req *req, json_t *patches);

/* Two revisions whose difference is asked for. */
struct series_diff {
	int64_t from, to;                  /* versions */
	json_t *from_patches, *to_patches; /* owned by the caller */
	char range_diff[65];               /* file that a builder made of it; "": none */
};
#define SERIES_DIFF_MAX (INT64_C(8) * 1024 * 1024) /* bytes of the patches of both */

/* Reply it as text. */
int series_diff_reply(struct http_req *req, const struct series_diff *diff, struct err *err);
