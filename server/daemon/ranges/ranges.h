/* ranges.h - mails that builders made of ranges (docs/SERIES.md) become revisions: a thread that reads them, checks them as
 * uploaded ones are, and stores what they are.
 *
 * What is to be read is in the store (table git_range, state `reading`), so that a restart of cohortd goes on. */
#pragma once

struct err;
struct ranges; /* opaque */
struct store;

/* Start the thread, which takes up what is not done; both are borrowed. NULL with *err. */
struct ranges *ranges_open(struct store *store, const char *state_dir, struct err *err);

/* There may be something new in the store. Any thread. */
void ranges_kick(struct ranges *ranges);

/* End behind the file that is being read. ranges may be NULL. */
void ranges_close(struct ranges *ranges);
