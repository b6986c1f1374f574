/* cohortd: the HTTP API, the store, the queue and the keeper of the boards. */
#include "common/err.h"
#include "common/fsio.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/boards_dir.h"
#include "server/daemon/config.h"
#include "server/daemon/farm/farm.h"
#include "server/daemon/fetch/fetch.h"
#include "server/daemon/http/auth.h"
#include "server/daemon/http/server.h"
#include "server/daemon/http/upload.h"
#include "server/daemon/nightly/nightly.h"
#include "server/daemon/provisions.h"
#include "server/daemon/ranges/ranges.h"
#include "server/daemon/report/report.h"
#include "server/daemon/store/idempotency.h"
#include "server/daemon/store/lanes.h"
#include "server/daemon/store/store.h"
#include "server/daemon/suite.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define TICK_MS  1000
#define PURGE_US (3600 * INT64_C(1000000))
#define FILE_MAX (INT64_C(640) * 1024 * 1024) /* 64 patches of 10 MiB in one file */

/* The parts, in the order in which they begin. */
struct parts {
	struct config config;
	struct store *store;
	struct suites *suites;
	struct provisions *provisions;
	struct auth *auth;
	struct ranges *ranges;
	struct farm *farm;
	struct report *report;
	struct nightly *nightly;
	struct fetcher *fetcher; /* NULL: off */
	struct http_server *http;
};

static int replies_purge(struct db *db, void *arg, struct err *err)
{
	const int64_t *now_us = arg;

	return idempotency_purge(db, *now_us, err);
}

/* What is only kept for a day. When it fails there is a next time. */
static void purge(const struct parts *p, int64_t now_us)
{
	(void)store_write(p->store, replies_purge, &now_us, NULL);
	upload_purge(p->config.state, now_us);
}

static int http_start(struct parts *p, struct err *err)
{
	const struct config *c = &p->config;
	struct http_config config = {
		.ctx = {.store = p->store,
	                .suites = p->suites,
	                .kernels = provisions_kernels(p->provisions),
	                .controls = provisions_controls(p->provisions),
	                .farm = p->farm,
	                .nightly = p->nightly,
	                .fetcher = p->fetcher,
	                .state_dir = c->state,
	                .keys_dir = c->keys,
	                .web_dir = c->web,
	                .file_max = FILE_MAX,
	                .read_token_required = c->read_token_required},
		.auth = p->auth,
		.listen = c->listen,
		.tls_cert = c->tls_cert,
		.tls_key = c->tls_key,
		.hosts = c->hosts,
		.insecure_listen = c->insecure_listen,
	};

	p->http = http_server_open(&config, err);
	return p->http ? 0 : -1;
}

/* store NULL: only check. */
static struct report *report_start(const struct config *c, struct store *store,
                                   const struct suites *suites, struct err *err)
{
	const struct report_config config = {
		.store = store,
		.suites = suites,
		.state_dir = c->state,
		.smtp_url = c->smtp_url,
		.smtp_credentials = c->smtp_credentials,
		.mail_from = c->mail_from,
		.mail_to = c->mail_to,
		.mail_at = c->mail_at,
		.mail_zone = c->mail_zone,
		.public_url = c->public_url,
		.webhooks = c->webhooks,
	};

	return report_open(&config, err);
}

static void jobs_are_there(void *arg)
{
	farm_kick(arg);
}

static struct world_config world_of(const struct parts *p)
{
	return (struct world_config){.suites = p->suites,
	                             .kernels = provisions_kernels(p->provisions),
	                             .controls = provisions_controls(p->provisions)};
}

static int nightly_start(struct parts *p, struct err *err)
{
	struct nightly_config config = {
		.store = p->store, .world = world_of(p), .kick = jobs_are_there, .arg = p->farm};

	config.report = p->report = report_start(&p->config, p->store, p->suites, err);
	if (!p->report)
		return -1;
	p->nightly = nightly_open(&config, err);
	return p->nightly ? 0 : -1;
}

static int fetch_start(struct parts *p, struct err *err)
{
	const struct config *c = &p->config;
	struct fetch_config config = {
		.store = p->store,
		.state_dir = c->state,
		.where = {.hosts = c->fetch_hosts, .inside = c->fetch_private},
		.ca = c->fetch_ca,
		.file_max = FILE_MAX,
	};

	if (json_array_size(c->fetch_hosts) == 0)
		return 0;
	p->fetcher = fetch_open(&config, err);
	return p->fetcher ? 0 : -1;
}

static int parts_begin(struct parts *p, struct err *err)
{
	const struct config *c = &p->config;
	struct farm_config farm = {
		.state_dir = c->state, .board_program = c->board_program, .agent_dir = c->agents};
	int64_t now_us = time_wall_us();

	if (fs_mkdirs(c->state, err) < 0 || upload_open(c->state, err) < 0)
		return -1;
	farm.store = p->store = store_open(c->state, err);
	if (!p->store || lanes_rebuild(p->store, err) < 0)
		return -1;
	farm.suites = p->suites = suites_load(c->suites, err);
	if (!p->suites)
		return -1;
	p->provisions = provisions_load(c->kernels, c->controls, err);
	if (!p->provisions || provisions_store(p->provisions, p->store, c->state, now_us, err) < 0)
		return -1;
	if (c->boards && boards_dir_load(c->boards, p->store, now_us, err) < 0)
		return -1;
	p->auth = auth_open(p->store, c->state, now_us, err);
	if (!p->auth)
		return -1;
	farm.ranges = p->ranges = ranges_open(p->store, c->state, err);
	if (!p->ranges)
		return -1;
	p->farm = farm_open(&farm, err);
	if (!p->farm || nightly_start(p, err) < 0 || fetch_start(p, err) < 0)
		return -1;
	return http_start(p, err);
}

static void parts_end(struct parts *p)
{
	http_server_close(p->http);
	nightly_close(p->nightly);
	report_close(p->report);
	fetch_close(p->fetcher);
	if (p->farm)
		farm_close(p->farm);
	ranges_close(p->ranges);
	auth_close(p->auth);
	provisions_free(p->provisions);
	suites_free(p->suites);
	if (p->store)
		store_close(p->store);
	config_release(&p->config);
}

/* Tell a service manager, as sd_notify(3) does. */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	SCOPED_FD fd = -1;

	if (len == 0 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_warn("NOTIFY_SOCKET %s: %s", path, strerror(errno));
}

static int ready_say(const struct parts *p, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/port", p->config.state);
	SCOPED_STR port = xasprintf("%d\n", http_server_port(p->http));

	if (fs_replace_file(path, port, strlen(port), 0644, err) < 0)
		return -1;
	(void)printf("listening on %s\n", http_server_url(p->http));
	(void)fflush(stdout);
	notify("READY=1");
	return 0;
}

static void boards_reload(struct parts *p)
{
	struct err err;
	int count = p->config.boards
	                    ? boards_dir_load(p->config.boards, p->store, time_wall_us(), &err)
	                    : 0;

	if (count < 0) {
		log_error("boards are as before: %s", err.text);
		return;
	}
	log_note("%d board files are loaded", count);
	farm_kick(p->farm);
}

/* Until SIGTERM or SIGINT. */
static void serve(struct parts *p, int signals)
{
	struct pollfd wait = {.fd = signals, .events = POLLIN};
	int64_t purged_us = time_mono_us();
	struct signalfd_siginfo info;

	purge(p, time_wall_us());
	for (;;) {
		int64_t mono_us;

		if (poll(&wait, 1, TICK_MS) > 0 && read(signals, &info, sizeof(info)) > 0) {
			if (info.ssi_signo != SIGHUP)
				break;
			boards_reload(p);
		}
		mono_us = time_mono_us();
		http_server_tick(p->http, mono_us);
		if (mono_us - purged_us > PURGE_US) {
			purged_us = mono_us;
			purge(p, time_wall_us());
		}
	}
	log_note("ending");
	notify("STOPPING=1");
}

/* Signals come by descriptor; every thread inherits the mask. */
static int signals_open(struct err *err)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno(err, ERR_IO, "signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd >= 0 ? fd : err_errno(err, ERR_IO, "signals");
}

/* Connections and boards want more descriptors than a shell's usual 1024. */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* --check-config: all that is configured and can be read without a store. */
static int config_check(const struct config *c, struct err *err)
{
	struct suites *suites = suites_load(c->suites, err);
	struct provisions *provisions =
		suites ? provisions_load(c->kernels, c->controls, err) : NULL;
	struct report *report = provisions ? report_start(c, NULL, suites, err) : NULL;
	int rc = report ? 0 : -1;

	if (rc == 0 && c->boards && boards_dir_load(c->boards, NULL, 0, err) < 0)
		rc = -1;
	if (rc == 0) {
		provisions_print(provisions);
		(void)puts("the configuration is good");
	}
	report_close(report);
	provisions_free(provisions);
	suites_free(suites);
	return rc;
}

static int config_only(const struct config *c, struct err *err)
{
	SCOPED_JSON doc = config_json(c);

	if (c->print) {
		(void)json_dumpf(doc, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	}
	return c->check ? config_check(c, err) : 0;
}

static int run(struct parts *p, struct err *err)
{
	SCOPED_FD signals = -1;

	if (p->config.print || p->config.check)
		return config_only(&p->config, err);
	(void)umask(027);
	descriptors_raise();
	signals = signals_open(err);
	if (signals < 0 || parts_begin(p, err) < 0 || ready_say(p, err) < 0)
		return -1;
	serve(p, signals);
	return 0;
}

int main(int argc, char *argv[])
{
	struct parts parts = {0};
	struct err err = {0};
	int status = 0;

	log_open("cohortd", LOG_LEVEL_INFO);
	if (sodium_init() < 0)
		return 1;
	switch (config_read(&parts.config, argc, argv, &err)) {
	case CONFIG_HELP:
		config_usage();
		break;
	case CONFIG_VERSION:
		(void)puts("cohortd " COHORT_VERSION);
		break;
	case CONFIG_ERROR:
		log_error("%s", err.text);
		status = 2;
		break;
	case CONFIG_RUN:
		log_open("cohortd", (enum log_level)config_log_level(&parts.config));
		if (run(&parts, &err) < 0) {
			log_error("%s", err.text);
			status = 1;
		}
		break;
	}
	parts_end(&parts);
	return status;
}
