/* Files by SHA-256: uploaded in parts that may be resumed, kept once, never changed. */
#include "common/err.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/http/range.h"
#include "server/daemon/http/request.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/http/serve.h"
#include "server/daemon/http/upload.h"
#include "server/daemon/store/files.h"
#include "server/daemon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* Of one PUT, in req->data. */
struct put {
	struct upload *upload; /* owned; NULL once finished */
	int64_t end;   /* offset behind the last byte of this part; -1: not known (chunked) */
	int64_t total; /* of the file; -1: what comes */
	int64_t size;  /* of the whole file, when it is finished */
};

static void put_free(void *data)
{
	struct put *put = data;

	upload_end(put->upload);
	free(put);
}

static int sha256_param(struct http_req *req)
{
	if (sha256_valid(req->param[0]))
		return 0;
	return http_problem(req, 422, "%.80s: must be a SHA-256 of 64 lower-case hex digits",
	                    req->param[0]);
}

/* Is the file there, whole? Its size, or -1 with *err. */
static int64_t size_find(struct http_req *req, struct err *err)
{
	struct db *db = store_read_begin(req->ctx->store);
	int64_t size = file_size(db, req->param[0], err);

	store_read_end(req->ctx->store, db);
	return size;
}

static int reply_size(struct http_req *req, int status, int64_t size)
{
	return http_reply_json(
		req, status,
		json_pack("{s:s, s:I}", "sha256", req->param[0], "size", (json_int_t)size));
}

/* Where this part belongs, from Content-Range and Content-Length. */
static int part_read(struct http_req *req, struct put *put, int64_t *first)
{
	const char *range = http_header(req, "Content-Range");
	int64_t length = serve_length(req), last;

	*first = 0;
	put->end = put->total = length;
	if (!range)
		return 0;
	if (!content_range_parse(range, first, &last, &put->total))
		return http_problem(req, 400, "Content-Range: must be bytes A-B/N");
	put->end = last + 1;
	if (length >= 0 && length != last - *first + 1)
		return http_problem(
			req, 400, "Content-Range: says %" PRId64 " bytes, Content-Length %" PRId64,
			last - *first + 1, length);
	if (put->total > req->ctx->file_max)
		return http_problem(req, 413,
		                    "the file has %" PRId64 " bytes, at most %" PRId64 " are taken",
		                    put->total, req->ctx->file_max);
	return 0;
}

static int put_failed(struct http_req *req, int64_t received, struct err *err)
{
	if (err->kind == ERR_TIMEOUT) {
		http_reply_header(req, "Retry-After", "5");
		return http_problem(req, 503, "%s", err->text);
	}
	if (err->kind != ERR_CONFLICT)
		return -1;
	(void)http_problem(req, 409, "%s", err->text);
	problem_member(req, "received", json_integer(received));
	return -1;
}

static int file_put_begin(struct http_req *req, struct err *err)
{
	struct put *put = xcalloc(1, sizeof(*put));
	int64_t first, received, size;

	req->data = put;
	req->data_free = put_free;
	if (sha256_param(req) < 0 || part_read(req, put, &first) < 0)
		return -1;
	size = size_find(req, err);
	if (size >= 0)
		return reply_size(req, 200, size);
	if (err->kind != ERR_NOTFOUND)
		return -1;
	put->upload = upload_begin(req->ctx->state_dir, req->param[0], first,
	                           !http_header(req, "Content-Range"), &received, err);
	if (!put->upload)
		return put_failed(req, received, err);
	/* Another client may have finished it while this one waited for the lock. */
	size = size_find(req, err);
	if (size < 0)
		return 0;
	upload_drop(put->upload);
	return reply_size(req, 200, size);
}

static int file_put_piece(struct http_req *req, const char *data, size_t len, struct err *err)
{
	struct put *put = req->data;
	int64_t max = put->end >= 0 ? put->end : req->ctx->file_max;

	if (upload_received(put->upload) + (int64_t)len > max)
		return http_problem(req, 413, "more than the %" PRId64 " bytes that are due", max);
	return upload_write(put->upload, data, len, err);
}

/* Out of the transaction: hashing and syncing may take seconds. */
static int file_put_prepare(struct http_req *req, struct err *err)
{
	struct put *put = req->data;
	int64_t received = upload_received(put->upload);

	if (put->end >= 0 && received < put->end)
		return http_problem(req, 400, "the body ended at %" PRId64 " of %" PRId64 " bytes",
		                    received, put->end);
	if (put->total >= 0 && received < put->total)
		return http_reply_json(req, 202,
		                       json_pack("{s:I}", "received", (json_int_t)received));
	if (upload_finish(put->upload, err) < 0)
		return -1;
	put->size = received;
	return 0;
}

static int file_put_handle(struct http_req *req, struct err *err)
{
	const struct put *put = req->data;

	if (file_put(req->db, req->param[0], put->size, req->now_us, err) < 0)
		return -1;
	return reply_size(req, 201, put->size);
}

static int file_get(struct http_req *req, struct err *err)
{
	SCOPED_STR path = NULL;
	SCOPED_FD fd = -1;
	char received[32];
	int64_t size;

	if (sha256_param(req) < 0)
		return -1;
	size = file_size(req->db, req->param[0], err);
	if (size < 0 && err->kind == ERR_NOTFOUND) {
		(void)snprintf(received, sizeof(received), "%" PRId64,
		               upload_size(req->ctx->state_dir, req->param[0]));
		http_reply_header(req, "Upload-Offset", received);
	}
	if (size < 0)
		return -1;
	path = upload_path(req->ctx->state_dir, req->param[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_IO, "%s", path);
	return http_reply_file(req, take_fd(&fd), size, "application/octet-stream");
}

const struct http_route http_files_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/files/{sha256}",
		.operation = "getFile",
		.summary = "The bytes of a file; HEAD tells how much of it is there",
		.flags = HTTP_READ,
		.handle = file_get,
	},
	{
		.method = "PUT",
		.pattern = "/api/v1/files/{sha256}",
		.operation = "putFile",
		.summary = "Upload a file, or a part of it",
		.flags = HTTP_WRITE | HTTP_RAW,
		.upload = file_put_begin,
		.piece = file_put_piece,
		.prepare = file_put_prepare,
		.handle = file_put_handle,
	},
	{0},
};
