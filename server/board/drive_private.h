/* drive_private.h - what the files of the driver share: drive.c (steps), drive_link.c (session, power, console),
 * drive_agent.c (what the agent says), drive_ops.c (what cohortd says). */
#pragma once
#include "common/err.h"
#include "server/board/drive.h"

#define SECOND 1000000

/* Append an event. What the machine refuses is counted; a journal that cannot be written ends this process: cohortd
 * starts another one, which goes on. Returns whether it was taken. */
bool drive_put(struct drive *d, const char *event, json_t *fields);

/* Text that others wrote, or that was cut to fit, for an event: what is no UTF-8 is replaced. */
json_t *drive_text(const char *text, size_t len);

void drive_say(struct drive *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* End the attempt with this farm fault at the next step. The first one counts. */
void drive_fault(struct drive *d, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Append progress, at most five a second. arg: the drive. */
void drive_progress(void *arg, const char *what, uint64_t done, uint64_t total);

void drive_hint(struct drive *d, const char *state, const char *detail);

/* drive_link.c */
void link_init(struct drive *d);
bool link_connect(struct drive *d);              /* ACT_LINK */
void link_watch(struct drive *d, int64_t in_us); /* the deadline for a link */
void link_close(struct drive *d);
bool power_restart(struct drive *d); /* ACT_RESTART */
bool boot_begin(struct drive *d);    /* ACT_BOOT */
bool power_begin(struct drive *d, enum board_power verb, enum child_job job);
bool drive_can_restart(const struct drive *d);
extern const struct console_events link_console_events;

/* drive_agent.c */
int agent_on_line(void *arg, char *text, size_t len, uint64_t end);
void agent_follow_ended(struct drive *d);
bool agent_run(struct drive *d);
bool agent_follow(struct drive *d);
bool agent_cancel(struct drive *d);
void agent_forget(struct drive *d, const char *verb, int64_t first, int64_t last);

/* drive_ops.c */
void check_step(struct drive *d);
