/* timeus.h - the clocks, read in main() and in threads' outer loops only; everything below
 * takes the time as an argument, so that a test owns it. Unit: int64_t microseconds. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

int64_t time_wall_us(void); /* since 1970, UTC: for people and the store */
int64_t time_mono_us(void); /* since boot, never set back: for deadlines */
int64_t time_boot_us(void); /* since boot, suspend included: the agent's time stamps */

/* Milliseconds from now until at, for poll(): 0 when past, at most a day, rounded up. */
int time_left_ms(int64_t now_us, int64_t at_us);

/* "2026-11-22T14:32:00.123456Z" of a wall time into out. */
void time_format(int64_t wall_us, char out[32]);

/* The other way round, also without the fraction, and of a day ("2026-11-22": its first moment). False when text is
 * neither, or no date that there is. */
bool time_parse(const char *text, int64_t *wall_us);
