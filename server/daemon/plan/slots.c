#include "server/daemon/plan/slots.h"

#include "common/cacheclass.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <string.h>

static bool listed(const json_t *list, const char *word)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (strcmp(json_string_value(item), word) == 0)
			return true;
	}
	return false;
}

static bool all_tags(const json_t *wanted, const struct plan_board *board)
{
	SCOPED_JSON tags = NULL;
	json_t *item;
	size_t i;

	if (!wanted)
		return true;
	tags = json_loads(board->tags, 0, NULL);
	json_array_foreach(wanted, i, item)
	{
		if (!listed(tags, json_string_value(item)))
			return false;
	}
	return true;
}

static bool fits(const struct submission *s, const struct plan_board *board)
{
	/* A builder makes kernels and never tests them. */
	return strcmp(board->kind, PLAN_BUILDER) != 0 &&
	       (!s->cache || listed(s->cache, board->cache)) &&
	       (!s->names || listed(s->names, board->name)) &&
	       (!s->kinds || listed(s->kinds, board->kind)) && all_tags(s->tags, board);
}

static int compare_boards(const struct plan_board *a, const struct plan_board *b)
{
	int classes = (int)cache_class_parse(a->cache) - (int)cache_class_parse(b->cache);
	int kinds = strcmp(a->kind, b->kind);

	return classes ? classes : kinds ? kinds : strcmp(a->name, b->name);
}

static int by_slot(const void *a, const void *b)
{
	const struct plan_board *const *left = a, *const *right = b;

	return compare_boards(*left, *right);
}

static void complain_about_names(const struct submission *s, const struct plan_world *world,
                                 struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	json_array_foreach(s->names, i, item)
	{
		const char *name = json_string_value(item);
		SCOPED_STR at = xasprintf("/boards/names/%zu", i);
		size_t k = 0;

		while (k < world->boards_count && strcmp(world->boards[k].name, name) != 0)
			k++;
		if (k == world->boards_count)
			jx_complain(errors, at, "no such board '%s'", name);
		else if (strcmp(world->boards[k].kind, PLAN_BUILDER) == 0)
			jx_complain(errors, at, "'%s' makes kernels, it tests none", name);
	}
}

/* Say what there is of the wanted classes, so that the next try fits. */
static void complain_about_nothing(const struct submission *s, const struct plan_world *world,
                                   struct jx_errors *errors)
{
	char there[300] = "";
	size_t used = 0, shown = 0, of_class = 0;

	for (size_t i = 0; i < world->boards_count; i++) {
		const struct plan_board *b = &world->boards[i];
		int n;

		if (strcmp(b->kind, PLAN_BUILDER) == 0 || (s->cache && !listed(s->cache, b->cache)))
			continue;
		of_class++;
		if (shown == 5 || used >= sizeof(there))
			continue;
		n = snprintf(there + used, sizeof(there) - used, "%s%s (%s, %s)", shown ? ", " : "",
		             b->name, b->cache, b->kind);
		used += n > 0 ? (size_t)n : 0;
		shown++;
	}
	if (of_class == 0)
		jx_complain(errors, "/boards", "matches no board: the farm has %s%s",
		            s->cache ? "none of this class" : "no boards",
		            world->boards_count && !s->cache ? " that fit" : "");
	else
		jx_complain(errors, "/boards", "matches no board; %s: %s%s",
		            s->cache ? "of this class there is" : "the farm has", there,
		            of_class > shown ? ", ..." : "");
}

static struct slot *new_slot(struct slots *slots, const struct plan_board *board, size_t room)
{
	struct slot *slot = &slots->list[slots->count++];

	slot->cache = board->cache;
	slot->kind = board->kind;
	slot->boards = xcalloc(room, sizeof(struct plan_board *));
	return slot;
}

/* Boards come by class and kind: cut where these change, or at each board. */
static void cut(struct slots *slots, const struct plan_board **boards, size_t count, bool each)
{
	struct slot *slot = NULL;

	slots->list = xcalloc(count, sizeof(*slots->list));
	for (size_t i = 0; i < count; i++) {
		if (!slot || each || strcmp(slot->cache, boards[i]->cache) != 0 ||
		    strcmp(slot->kind, boards[i]->kind) != 0)
			slot = new_slot(slots, boards[i], each ? 1 : count - i);
		slot->boards[slot->count++] = boards[i];
	}
}

void slots_match(struct slots *slots, const struct submission *s, const struct plan_world *world,
                 struct jx_errors *errors)
{
	SCOPED_MEM mem = xcalloc(world->boards_count + 1, sizeof(struct plan_board *));
	const struct plan_board **boards = mem;
	size_t count = 0;

	if (!s->boards)
		return;
	complain_about_names(s, world, errors);
	for (size_t i = 0; i < world->boards_count; i++)
		if (fits(s, &world->boards[i]))
			boards[count++] = &world->boards[i];
	if (count == 0) {
		complain_about_nothing(s, world, errors);
		return;
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are sorted */
	qsort((void *)boards, count, sizeof(*boards), by_slot);
	cut(slots, boards, count, strcmp(s->each, "board") == 0);
}

void slots_release(struct slots *slots)
{
	for (size_t i = 0; i < slots->count; i++)
		free((void *)slots->list[i].boards);
	free(slots->list);
}
