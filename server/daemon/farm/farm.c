#include "server/daemon/farm/farm.h"

#include "common/err.h"
#include "common/logline.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm_private.h"
#include "server/daemon/store/store.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 64

/* ---- A round ---- */

static void farm_look(struct farm *farm)
{
	struct err err;

	farm->look = false;
	farm->decide = true;
	if (boards_look(farm, &err) == 0 && runs_look(farm, &err) == 0)
		return;
	log_error("the farm: %s", err.text);
	farm->look = true;
	farm->retry_at = farm->mono + FARM_RETRY;
}

static void board_round(struct board *b)
{
	if (board_due(&b->state) <= b->farm->mono)
		board_tell(b, BOARD_EV_TIME, false);
	process_act(b);
	if (b->restart && b->state.alive && !b->attempt) {
		process_send(b, "quit", NULL, NULL);
		b->restart = false;
	}
	attempt_ops(b);
}

static void farm_round(struct farm *farm)
{
	farm->again = false;
	if (farm->look && farm->mono >= farm->retry_at)
		farm_look(farm);
	for (size_t i = 0; i < farm->boards_count; i++)
		board_round(farm->boards[i]);
	/* While the store or its disk fails, journals wait where they are. */
	if (farm->mono < farm->retry_at)
		return;
	farm->retry_at = 0;
	if (ingest_pass(farm))
		farm->again = true;
	if (farm->decide && farm->retry_at == 0)
		decide_pass(farm);
	if (farm->retry_at == 0)
		schedule_pass(farm);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How long nothing is due, for epoll_wait(): -1 for ever. An idle farm sleeps. */
static int farm_wait_ms(const struct farm *farm)
{
	int64_t due = INT64_MAX, wall = schedule_due(farm->schedule);

	if (farm->again && farm->retry_at == 0)
		return 0;
	for (size_t i = 0; i < farm->boards_count; i++) {
		const struct board *b = farm->boards[i];

		due = least(due, board_due(&b->state));
		if (b->attempt && farm->retry_at == 0) {
			due = least(due, b->attempt->reread_at);
			if (!b->attempt->requested)
				due = least(due, b->attempt->request_at);
		}
	}
	if (farm->retry_at != 0)
		due = least(due, farm->retry_at);
	else if (wall != INT64_MAX)
		due = least(due, farm->mono + (wall > farm->wall ? wall - farm->wall : 0));
	return due == INT64_MAX ? -1 : time_left_ms(time_mono_us(), due);
}

static void farm_event(struct farm *farm, const struct watch *w)
{
	uint64_t kicks;

	if (!w->board) {
		farm->look = true;
		(void)!read(farm->kick, &kicks, sizeof(kicks));
	} else if (w->process) {
		process_gone(w->board);
	} else {
		process_read(w->board);
	}
}

static void farm_clocks(struct farm *farm)
{
	farm->mono = time_mono_us();
	farm->wall = time_wall_us();
}

static int farm_events(struct farm *farm, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(farm->epoll, events, EVENTS, wait_ms);

	farm_clocks(farm);
	for (int i = 0; i < n; i++)
		farm_event(farm, events[i].data.ptr);
	return n;
}

/* ---- The end ---- */

static size_t processes(const struct farm *farm)
{
	size_t n = 0;

	for (size_t i = 0; i < farm->boards_count; i++)
		n += farm->boards[i]->pid > 0;
	return n;
}

/* Boards may take a while to switch machines off; then they are killed, and leave what runs on the boards alone. */
static void farm_quit(struct farm *farm)
{
	int64_t until = time_mono_us() + FARM_QUIT_WAIT;

	for (size_t i = 0; i < farm->boards_count; i++)
		process_send(farm->boards[i], "quit", NULL, NULL);
	while (processes(farm) > 0) {
		int left = time_left_ms(time_mono_us(), until);

		if (left == 0) {
			log_warn("%zu cohort-board did not end when told, and are killed",
			         processes(farm));
			for (size_t i = 0; i < farm->boards_count; i++)
				process_kill(farm->boards[i]);
			until += FARM_QUIT_WAIT;
		}
		(void)farm_events(farm, left);
	}
}

static void *farm_main(void *arg)
{
	struct farm *farm = arg;
	sigset_t pipe;

	(void)pthread_setname_np(pthread_self(), "farm");
	/* A cohort-board that died is seen by its pidfd. */
	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	farm_clocks(farm);
	while (!atomic_load(&farm->stop)) {
		farm_round(farm);
		(void)farm_events(farm, farm_wait_ms(farm));
	}
	farm_quit(farm);
	return NULL;
}

/* ---- Open, kick, close ---- */

static void farm_free(struct farm *farm)
{
	for (size_t i = 0; i < farm->boards_count; i++)
		board_free(farm->boards[i]);
	if (farm->epoll >= 0)
		(void)close(farm->epoll);
	if (farm->kick >= 0)
		(void)close(farm->kick);
	keeper_close(farm->keeper);
	schedule_free(farm->schedule);
	table_release(&farm->boards_by_id);
	agents_release(&farm->agents);
	json_decref(farm->closed);
	free(farm->boards);
	free(farm->seat_board);
	free(farm->buf);
	free(farm);
}

static void files_are_there(void *arg)
{
	farm_kick(arg);
}

static int farm_start(struct farm *farm, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &farm->watch_kick};
	int rc;

	if (farm->epoll < 0 || farm->kick < 0 ||
	    epoll_ctl(farm->epoll, EPOLL_CTL_ADD, farm->kick, &event) < 0)
		return err_errno(err, ERR_IO, "the farm's epoll");
	farm_clocks(farm);
	farm->keeper = keeper_open(farm->config.state_dir, files_are_there, farm, err);
	if (!farm->keeper || boards_look(farm, err) < 0 || attempts_resume(farm, err) < 0 ||
	    runs_look(farm, err) < 0)
		return -1;
	rc = pthread_create(&farm->thread, NULL, farm_main, farm);
	if (rc != 0) {
		errno = rc;
		return err_errno(err, ERR_IO, "the farm's thread");
	}
	return 0;
}

struct farm *farm_open(const struct farm_config *config, struct err *err)
{
	struct farm *farm = xcalloc(1, sizeof(*farm));

	farm->config = *config;
	farm->schedule = schedule_new();
	farm->closed = json_object();
	farm->decide = true;
	farm->buf = xcalloc(1, FOLLOW_ROUND);
	farm->epoll = epoll_create1(EPOLL_CLOEXEC);
	farm->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (farm_start(farm, err) < 0) {
		farm_free(farm);
		return NULL;
	}
	return farm;
}

void farm_kick(struct farm *farm)
{
	const uint64_t one = 1;

	(void)!write(farm->kick, &one, sizeof(one));
}

void farm_close(struct farm *farm)
{
	if (!farm)
		return;
	atomic_store(&farm->stop, true);
	farm_kick(farm);
	(void)pthread_join(farm->thread, NULL);
	farm_free(farm);
}
