/* docs/STATES.md, "Board". */
#include "server/daemon/schedule/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S 1000000LL

static void tell(struct board_state *board, enum board_event_kind kind, int64_t now)
{
	const struct board_event event = {.kind = kind, .now = now, .good = true};

	(void)board_apply(board, &event);
}

static struct board_state idle(bool boots)
{
	struct board_state board;

	board_init(&board, boots, false, false);
	assert_int_equal(board.phase, BOARD_UNKNOWN);
	assert_int_equal(board_act(&board, 0), BOARD_ACT_SPAWN);
	tell(&board, BOARD_EV_SPAWNED, 0);
	assert_int_equal(board_act(&board, 0), 0);
	tell(&board, BOARD_EV_HELLO, 0);
	if (!boots) {
		assert_int_equal(board.phase, BOARD_UNKNOWN);
		assert_int_equal(board_act(&board, 0), BOARD_ACT_CHECK);
		tell(&board, BOARD_EV_CHECKED, 0);
		tell(&board, BOARD_EV_REACHABLE, 0);
	}
	assert_int_equal(board.phase, BOARD_IDLE);
	assert_int_equal(board_due(&board), INT64_MAX);
	return board;
}

static void test_start(void **state)
{
	(void)state;
	(void)idle(true);
	(void)idle(false);
}

static void test_good_attempt(void **state)
{
	struct board_state board = idle(false);

	(void)state;
	tell(&board, BOARD_EV_LEASED, S);
	assert_int_equal(board.phase, BOARD_BUSY);
	tell(&board, BOARD_EV_REACHABLE, S); /* hints do not end a lease */
	tell(&board, BOARD_EV_UNREACHABLE, S);
	assert_int_equal(board.phase, BOARD_BUSY);
	tell(&board, BOARD_EV_RELEASED, S);
	assert_int_equal(board.phase, BOARD_IDLE);
}

static void test_fault_is_checked(void **state)
{
	const struct board_event fault = {.kind = BOARD_EV_RELEASED, .now = S};

	(void)state;
	for (int boots = 0; boots < 2; boots++) {
		struct board_state board = idle(boots);

		tell(&board, BOARD_EV_LEASED, S);
		(void)board_apply(&board, &fault);
		assert_int_equal(board.phase, BOARD_UNKNOWN);
		assert_int_equal(board_act(&board, S), BOARD_ACT_CHECK);
		tell(&board, BOARD_EV_CHECKED, S);
		assert_int_equal(board_act(&board, S), 0);
		/* No answer: it is asked again. */
		assert_int_equal(board_due(&board), 61 * S);
		tell(&board, BOARD_EV_TIME, 61 * S);
		assert_int_equal(board_act(&board, 61 * S), BOARD_ACT_CHECK);
		tell(&board, BOARD_EV_REACHABLE, 62 * S);
		assert_int_equal(board.phase, BOARD_IDLE);
	}
}

static void test_unreachable_backs_off(void **state)
{
	static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct board_state board = idle(false);
	int64_t now = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		tell(&board, BOARD_EV_UNREACHABLE, now);
		assert_int_equal(board.phase, BOARD_UNREACHABLE);
		assert_int_equal(board_act(&board, now), 0);
		assert_int_equal(board_due(&board), now + waits[i] * S);
		now = board_due(&board);
		tell(&board, BOARD_EV_TIME, now);
		assert_int_equal(board_act(&board, now), BOARD_ACT_CHECK);
		tell(&board, BOARD_EV_CHECKED, now);
	}
	tell(&board, BOARD_EV_REACHABLE, now);
	assert_int_equal(board.phase, BOARD_IDLE);
	tell(&board, BOARD_EV_UNREACHABLE, now);
	assert_int_equal(board_due(&board), now + S);
}

static void test_process_dies(void **state)
{
	static const int64_t tenths[] = {1, 2, 4, 8, 16, 32, 64, 100, 100};
	struct board_state board = idle(true);
	int64_t now = S;

	(void)state;
	for (size_t i = 0; i < sizeof(tenths) / sizeof(tenths[0]); i++) {
		tell(&board, BOARD_EV_DIED, now);
		assert_int_equal(board.phase, BOARD_UNKNOWN);
		assert_int_equal(board_act(&board, now), 0);
		assert_int_equal(board_due(&board), now + tenths[i] * S / 10);
		now = board_due(&board);
		assert_int_equal(board_act(&board, now), BOARD_ACT_SPAWN);
		tell(&board, BOARD_EV_SPAWNED, now);
	}
	tell(&board, BOARD_EV_WORKED, now); /* it got on with its attempt */
	tell(&board, BOARD_EV_DIED, now);
	assert_int_equal(board_due(&board), now + 4 * S / 10);
	now = board_due(&board);
	tell(&board, BOARD_EV_SPAWNED, now);
	now += 10 * S; /* it lived long enough to begin again */
	tell(&board, BOARD_EV_DIED, now);
	assert_int_equal(board_due(&board), now + S / 10);
}

static void test_dies_in_attempt(void **state)
{
	struct board_state board = idle(false);

	(void)state;
	tell(&board, BOARD_EV_LEASED, S);
	tell(&board, BOARD_EV_DIED, S);
	assert_int_equal(board.phase, BOARD_BUSY);
	assert_int_equal(board_act(&board, 2 * S), BOARD_ACT_SPAWN);
	/* Its attempt ends while nobody is there: nothing is known of the board. */
	tell(&board, BOARD_EV_RELEASED, S);
	assert_int_equal(board.phase, BOARD_UNKNOWN);
	tell(&board, BOARD_EV_SPAWNED, 2 * S);
	assert_int_equal(board_act(&board, 2 * S), 0);
	tell(&board, BOARD_EV_HELLO, 2 * S);
	assert_int_equal(board_act(&board, 2 * S), BOARD_ACT_CHECK);
}

static void test_disable(void **state)
{
	struct board_state board = idle(true);

	(void)state;
	tell(&board, BOARD_EV_DISABLED, S);
	assert_int_equal(board.phase, BOARD_DISABLED);
	tell(&board, BOARD_EV_REACHABLE, S);
	assert_int_equal(board.phase, BOARD_DISABLED);
	tell(&board, BOARD_EV_ENABLED, S);
	assert_int_equal(board.phase, BOARD_IDLE); /* it boots itself, and its process is there */
	tell(&board, BOARD_EV_LEASED, S);
	tell(&board, BOARD_EV_DISABLED, S);
	assert_int_equal(board.phase, BOARD_BUSY); /* the attempt goes on */
	tell(&board, BOARD_EV_RELEASED, S);
	assert_int_equal(board.phase, BOARD_DISABLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_good_attempt),
		cmocka_unit_test(test_fault_is_checked),
		cmocka_unit_test(test_unreachable_backs_off),
		cmocka_unit_test(test_process_dies),
		cmocka_unit_test(test_dies_in_attempt),
		cmocka_unit_test(test_disable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
