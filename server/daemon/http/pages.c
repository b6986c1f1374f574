#include "server/daemon/http/pages.h"

#include "common/err.h"
#include "common/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const char csp[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const struct {
	const char *suffix, *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".mjs", "text/javascript; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".json", "application/json"},
	{".map", "application/json"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".ico", "image/x-icon"},
	{".woff2", "font/woff2"},
	{".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(const char *path)
{
	const char *suffix = strrchr(path, '.');

	for (size_t i = 0; suffix && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(suffix, types[i].suffix) == 0)
			return types[i].type;
	return "application/octet-stream";
}

/* The path has no "..", but a link in the directory could lead out of it: the kernel refuses that. */
static int open_below(const char *dir, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	                       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	SCOPED_FD at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (at < 0)
		return -1;
	return (int)syscall(SYS_openat2, at, path, &how, sizeof(how));
}

/* Names that begin with a dot are the owner's, not pages. */
static bool hidden(const char *path)
{
	return *path == '.' || strstr(path, "/.");
}

static bool etag_known(struct http_req *req, const char *etag)
{
	const char *known = http_header(req, "If-None-Match");

	return known && (strcmp(known, "*") == 0 || strstr(known, etag));
}

static int page_handle(struct http_req *req, struct err *err)
{
	const char *path = req->path[1] ? req->path + 1 : "index.html";
	SCOPED_FD fd = -1;
	struct stat st;
	char etag[80];

	(void)err;
	if (req->ctx->web_dir && !hidden(path))
		fd = open_below(req->ctx->web_dir, path);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return http_problem(req, 404, "no such page: %s", req->path);
	(void)snprintf(etag, sizeof(etag), "\"%llx-%llx-%llx\"", (unsigned long long)st.st_ino,
	               (unsigned long long)st.st_size,
	               (unsigned long long)st.st_mtim.tv_sec * 1000000000ULL +
	                       (unsigned long long)st.st_mtim.tv_nsec);
	http_reply_header(req, "ETag", etag);
	http_reply_header(req, "Cache-Control", "no-cache");
	http_reply_header(req, "Content-Security-Policy", csp);
	http_reply_header(req, "Referrer-Policy", "no-referrer");
	if (etag_known(req, etag))
		return http_reply_text(req, 304, type_of(path), NULL, 0);
	return http_reply_file(req, take_fd(&fd), st.st_size, type_of(path));
}

const struct http_route pages_route = {
	.method = "GET",
	.pattern = "/",
	.operation = "getPage",
	.summary = "A file of the page",
	.flags = HTTP_PUBLIC,
	.handle = page_handle,
};
