#include "server/daemon/worker.h"

#include "common/err.h"
#include "common/timeus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define MAKERS  4
#define EACH    5000
#define LONG_US INT64_C(600000000) /* nobody waits for that */

/* A worker that takes what was made, one at a time, and sleeps without a limit in between. */
struct shop {
	struct worker worker;
	atomic_int made, taken;
	int64_t pause_us; /* before each look, 0: none */
};

static bool take(struct shop *shop)
{
	if (shop->taken == shop->made)
		return false;
	shop->taken++;
	return true;
}

static void *shop_run(void *arg)
{
	struct shop *shop = arg;

	while (!worker_is_ending(&shop->worker)) {
		if (shop->pause_us)
			(void)worker_pause(&shop->worker, shop->pause_us);
		if (!take(shop))
			(void)worker_wait(&shop->worker, WORKER_NO_LIMIT);
	}
	return NULL;
}

static void *make(void *arg)
{
	struct shop *shop = arg;

	for (int i = 0; i < EACH; i++) {
		shop->made++;
		worker_kick(&shop->worker);
	}
	return NULL;
}

static void wait_taken(struct shop *shop, int count)
{
	for (int i = 0; i < 10000 && shop->taken < count; i++)
		(void)usleep(1000);
	assert_int_equal(shop->taken, count);
}

/* Whoever makes work first and kicks then is never overslept: else the last of these would lie there. */
static void test_no_kick_is_lost(void **state)
{
	struct shop shop = {0};
	struct err err;
	pthread_t makers[MAKERS];

	(void)state;
	assert_int_equal(worker_start(&shop.worker, "shop", shop_run, &shop, &err), 0);
	for (int i = 0; i < MAKERS; i++)
		assert_int_equal(pthread_create(&makers[i], NULL, make, &shop), 0);
	for (int i = 0; i < MAKERS; i++)
		(void)pthread_join(makers[i], NULL);
	wait_taken(&shop, MAKERS * EACH);
	worker_end(&shop.worker);
}

/* A kick in a pause does not end it, and is still there afterwards. */
static void test_pause_keeps_kicks(void **state)
{
	struct shop shop = {.pause_us = 20000};
	struct err err;
	int64_t start = time_wall_us();

	(void)state;
	assert_int_equal(worker_start(&shop.worker, "shop", shop_run, &shop, &err), 0);
	shop.made++;
	worker_kick(&shop.worker);
	wait_taken(&shop, 1);
	assert_true(time_wall_us() - start >= 20000 / 2); /* that clock may be slewed */
	worker_end(&shop.worker);
}

static void *sleeper_run(void *arg)
{
	struct shop *shop = arg;

	/* 0 us have passed at once, the others end by the end */
	if (worker_wait(&shop->worker, 0))
		shop->taken++;
	if (!worker_pause(&shop->worker, LONG_US) && !worker_wait(&shop->worker, LONG_US) &&
	    !worker_wait(&shop->worker, WORKER_NO_LIMIT))
		shop->taken++;
	return NULL;
}

static void test_end_wakes(void **state)
{
	struct shop shop = {0};
	struct err err;

	(void)state;
	assert_int_equal(worker_start(&shop.worker, "sleeper", sleeper_run, &shop, &err), 0);
	wait_taken(&shop, 1);
	worker_end(&shop.worker);
	assert_int_equal(shop.taken, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_kick_is_lost),
		cmocka_unit_test(test_pause_keeps_kicks),
		cmocka_unit_test(test_end_wakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
