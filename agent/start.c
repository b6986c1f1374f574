#include "agent/start.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

void start_ready(struct start_fds *fds, const struct err *why)
{
	/* The root's lock goes first: whoever was told "ready" may start the next leg at once. */
	(void)close(fds->root);
	(void)!write(fds->bell, why ? why->text : "", why ? strlen(why->text) + 1 : 1);
}

/* From here on nothing of the SSH session is left in the process: not its terminal, group, streams or directory. */
static void cut_loose(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		(void)dup2(null, fd);
	if (null > 2)
		(void)close(null);
	(void)!chdir("/");
	(void)umask(022);
}

/* Two forks: the first leaves the session, the second can never take a terminal again and has init as its parent. */
static void detach(const struct leg *leg, const struct request *req, struct start_fds *fds,
                   start_fn *work)
{
	pid_t pid;

	(void)setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid < 0 ? errno : 0);
	cut_loose();
	_exit(work(leg, req, fds));
}

/* The worker's first words: one NUL byte, or the text of an error with a NUL behind. */
static int await(int fd, struct err *err)
{
	char text[sizeof(err->text)];
	size_t have = 0;

	while (have < sizeof(text)) {
		ssize_t n = read(fd, text + have, sizeof(text) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
		if (text[0] == '\0')
			return 0;
		if (text[have - 1] == '\0')
			return err_set(err, ERR_IO, "%s", text);
	}
	return err_set(err, ERR_CLOSED, "the worker ended before it was ready");
}

static int launch(const struct leg *leg, const struct request *req, int root, start_fn *work,
                  int *bell, struct err *err)
{
	SCOPED_FD lock = leg_lock(leg, err);
	struct start_fds fds = {.root = root, .lock = lock};
	SCOPED_FD listen = -1;
	int pair[2], rc;
	pid_t pid;

	if (lock < 0)
		return -1;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, ERR_IO, "pipe");
	listen = pair[0];
	fds.bell = pair[1];
	(void)fcntl(fds.bell, F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0) {
		(void)close(listen);
		detach(leg, req, &fds, work);
	}
	rc = pid < 0 ? err_errno(err, ERR_IO, "fork") : 0;
	(void)close(fds.bell);
	if (rc == 0)
		rc = await(listen, err);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	if (rc == 0)
		*bell = take_fd(&listen);
	return rc;
}

/* The leg exists: then it must be for the same request. request.json is not synced: after a power cut it may be torn,
 * and then the worker is dead whatever it was asked for. */
static int join(const struct leg *leg, const struct request *req, struct err *err)
{
	size_t len = 0;
	SCOPED_STR text = fs_read_file(leg->request, REQUEST_MAX, &len, err);
	struct request there;
	bool same;

	if (!text || request_parse(&there, text, len, err) < 0)
		return leg_alive(leg) ? err_context(err, "%s", leg->request) : 0;
	same = request_same(&there, req);
	request_release(&there);
	return same ? 0 : err_set(err, ERR_CONFLICT, "%s is there for another request", leg->dir);
}

static int keep_request(const struct leg *leg, const char *text, size_t len, struct err *err)
{
	SCOPED_FD fd = open(leg->request, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_errno(err, ERR_IO, "%s", leg->request);
	return fs_write_all(fd, text, len, err) < 0 ? err_context(err, "%s", leg->request) : 0;
}

int start_leg(const struct leg *leg, const struct request *req, const char *text, size_t len,
              start_fn *work, int *bell, struct err *err)
{
	SCOPED_FD root = -1;

	*bell = -1;
	if (fs_mkdirs(leg->root, err) < 0)
		return -1;
	root = root_lock(leg->root, err);
	if (root < 0)
		return -1;
	if (leg_exists(leg) && join(leg, req, err) < 0)
		return -1;
	if (root_fence(leg->root, req->fence, err) < 0)
		return -1;
	if (leg_exists(leg))
		return 0;
	if (leg_take_over(root, leg, err) < 0)
		return -1;
	if (fs_mkdirs(leg->dir, err) < 0 || keep_request(leg, text, len, err) < 0)
		return -1;
	return launch(leg, req, root, work, bell, err);
}
