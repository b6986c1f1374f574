#include "common/kwarn.h"

#include <string.h>

#define BLOCK_LINES 400 /* no complaint is longer: what follows is something else */

static const char *const names[] = {
	[KWARN_NONE] = "none",   [KWARN_OTHER] = "other",         [KWARN_WARNING] = "warning",
	[KWARN_OOM] = "oom",     [KWARN_HUNG_TASK] = "hung-task", [KWARN_RCU_STALL] = "rcu-stall",
	[KWARN_BUG] = "bug",     [KWARN_LOCKUP] = "lockup",       [KWARN_OOPS] = "oops",
	[KWARN_PANIC] = "panic",
};

/* The first row that fits counts. head must be at the line's start; part (may be NULL) anywhere behind it. */
static const struct {
	const char *head, *part;
	enum kwarn_kind kind;
} rows[] = {
	{"Kernel panic - not syncing", NULL, KWARN_PANIC},
	{"Internal error: ", NULL, KWARN_OOPS},
	{"Unable to handle kernel ", NULL, KWARN_OOPS},
	{"Bad mode in ", NULL, KWARN_OOPS},
	{"Oops", ": ", KWARN_OOPS},
	{"BUG: kernel NULL pointer dereference", NULL, KWARN_OOPS},
	{"BUG: unable to handle ", NULL, KWARN_OOPS},
	{"general protection fault", NULL, KWARN_OOPS},
	{"divide error: ", NULL, KWARN_OOPS},
	{"invalid opcode: ", NULL, KWARN_OOPS},
	{"Insufficient stack space to handle exception", NULL, KWARN_OOPS},
	{"Kernel stack overflow", NULL, KWARN_OOPS},
	{"watchdog: BUG: soft lockup", NULL, KWARN_LOCKUP},
	{"watchdog: Watchdog detected hard LOCKUP", NULL, KWARN_LOCKUP},
	{"NMI watchdog: ", "LOCKUP", KWARN_LOCKUP},
	{"NMI watchdog: BUG: soft lockup", NULL, KWARN_LOCKUP},
	{"BUG: soft lockup", NULL, KWARN_LOCKUP},
	{"BUG: spinlock lockup", NULL, KWARN_LOCKUP},
	{"BUG: workqueue lockup", NULL, KWARN_LOCKUP},
	{"rcu: INFO: rcu_", "stall", KWARN_RCU_STALL},
	{"INFO: rcu_", "stall", KWARN_RCU_STALL},
	{"rcu: ", "kthread starved for", KWARN_RCU_STALL},
	{"INFO: task ", "blocked for more than", KWARN_HUNG_TASK},
	{"Out of memory", NULL, KWARN_OOM},
	{"Memory cgroup out of memory", NULL, KWARN_OOM},
	{"oom-kill:", NULL, KWARN_OOM},
	{"kernel BUG at ", NULL, KWARN_BUG},
	{"BUG: ", NULL, KWARN_BUG},
	{"BUG ", "Not tainted", KWARN_BUG}, /* SLUB: "BUG kmalloc-64 (Not tainted): Redzone" */
	{"BUG ", "Tainted: ", KWARN_BUG},
	{"UBSAN: ", NULL, KWARN_BUG},
	{"WARNING: ", NULL, KWARN_WARNING},
	{"INFO: possible ", NULL, KWARN_WARNING}, /* lockdep before 4.14 */
	{"INFO: suspicious RCU usage", NULL, KWARN_WARNING},
	{"INFO: inconsistent lock state", NULL, KWARN_WARNING},
	{"INFO: trying to register non-static key", NULL, KWARN_WARNING},
	/* ARM prints these for a fault of a program too; for one of the kernel "Internal error" follows. */
	{"8<--- cut here ---", NULL, KWARN_OTHER},
	{"Unhandled fault: ", NULL, KWARN_OTHER},
	{"Unhandled prefetch abort: ", NULL, KWARN_OTHER},
	{"------------[ cut here ]------------", NULL, KWARN_OTHER},
	{"Bad page state in process ", NULL, KWARN_BUG},
	{"irq ", ": nobody cared", KWARN_OTHER},
	{"Unhandled interrupt", NULL, KWARN_OTHER},
	{"unregister_netdevice: waiting for ", NULL, KWARN_OTHER},
	{"kmemleak: ", "new suspected memory leaks", KWARN_OTHER},
};

/* The tool that invoked the OOM killer comes first in its line, so this one has no head. */
static const char oom_words[] = " invoked oom-killer: ";

/* Always the first line of a block, so whatever was open is another one. */
static const char *const begins[] = {
	"8<--- cut here ---",
	"------------[ cut here ]------------",
};

static const char *const ends[] = {
	"---[ end trace ",
	"---[ end Kernel panic",
	"cohort: begin ", /* the agent's own marks in the log: another test's business */
	"cohort: end ",
};

const char *kwarn_name(enum kwarn_kind kind)
{
	return (unsigned)kind < sizeof(names) / sizeof(*names) ? names[kind] : names[KWARN_OTHER];
}

bool kwarn_fatal(enum kwarn_kind kind)
{
	return kind == KWARN_OOPS || kind == KWARN_PANIC;
}

/* "[   12.345678] " and with CONFIG_PRINTK_CALLER "[   12.345678][   T12] ": the text behind it, or NULL. */
static const char *behind_stamp(const char *p)
{
	size_t digits;

	p++;
	p += strspn(p, " ");
	digits = strspn(p, "0123456789");
	p += digits;
	if (digits == 0 || *p++ != '.' || strspn(p, "0123456789") != 6 || p[6] != ']')
		return NULL;
	p += 7;
	if (*p == '[') {
		const char *close = strchr(p, ']');

		p = close ? close + 1 : p;
	}
	return p + strspn(p, " ");
}

/* On a console a program's unfinished line may stand in front of the kernel's. */
static const char *message(const char *line, bool *stamped)
{
	for (const char *p = strchr(line, '['); p; p = strchr(p + 1, '[')) {
		const char *text = behind_stamp(p);

		if (text) {
			*stamped = true;
			return text;
		}
	}
	if (line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>')
		line += 3;
	return line;
}

static bool starts(const char *text, const char *head)
{
	return strncmp(text, head, strlen(head)) == 0;
}

static enum kwarn_kind kind_of(const char *text)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (starts(text, rows[i].head) &&
		    (!rows[i].part || strstr(text + strlen(rows[i].head), rows[i].part) != NULL))
			return rows[i].kind;
	return strstr(text, oom_words) ? KWARN_OOM : KWARN_NONE;
}

enum kwarn_kind kwarn_of_line(const char *line)
{
	bool stamped;

	return kind_of(message(line, &stamped));
}

void kwarn_init(struct kwarn *k, kwarn_fn *fn, void *arg)
{
	*k = (struct kwarn){.fn = fn, .arg = arg};
}

bool kwarn_open(const struct kwarn *k)
{
	return k->kind != KWARN_NONE;
}

void kwarn_flush(struct kwarn *k)
{
	enum kwarn_kind kind = k->kind;

	if (kind == KWARN_NONE)
		return;
	k->text[k->len] = '\0';
	k->kind = KWARN_NONE;
	k->fn(k->arg, kind, k->text, k->len);
	k->len = 0;
	k->lines = 0;
}

/* Keep the line when it fits whole. */
static void keep(struct kwarn *k, const char *line)
{
	size_t len = strlen(line);

	k->lines++;
	if (k->len + len + 1 > KWARN_TEXT)
		return;
	(void)memcpy(k->text + k->len, line, len);
	k->len += len;
	k->text[k->len++] = '\n';
}

static bool one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (starts(text, list[i]))
			return true;
	return false;
}

void kwarn_line(struct kwarn *k, const char *line)
{
	bool stamped = false;
	const char *text = message(line, &stamped);
	enum kwarn_kind kind = kind_of(text);

	k->stamped |= stamped;
	if (k->stamped && !stamped)
		kind = KWARN_NONE;
	if (k->kind == KWARN_NONE && kind == KWARN_NONE)
		return;
	if (one_of(text, ends, sizeof(ends) / sizeof(*ends))) {
		if (!starts(text, "cohort: "))
			keep(k, line);
		kwarn_flush(k);
		return;
	}
	if (k->lines >= BLOCK_LINES || one_of(text, begins, sizeof(begins) / sizeof(*begins)))
		kwarn_flush(k);
	if (k->kind == KWARN_NONE && kind == KWARN_NONE)
		return;
	keep(k, line);
	if (kind > k->kind)
		k->kind = kind;
}
