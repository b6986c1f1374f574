/* The farm's boards: from the store's rows, and what their processes say of them. */
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/farm/entry.h"
#include "server/daemon/farm/farm_private.h"
#include "server/daemon/store/farm_boards.h"
#include "server/daemon/store/store.h"

#include <string.h>

struct board *board_of_seat(const struct farm *farm, int seat)
{
	int i = (size_t)seat < farm->seats ? farm->seat_board[seat] : -1;

	return i >= 0 ? farm->boards[i] : NULL;
}

struct board *board_named(struct farm *farm, const char *name)
{
	return board_of_seat(farm, schedule_board(farm->schedule, name));
}

void board_detail(struct board *b, const char *text)
{
	char *cut = entry_cut(text, sizeof(b->detail) - 1);

	b->dirty = b->dirty || strcmp(b->detail, cut) != 0;
	(void)snprintf(b->detail, sizeof(b->detail), "%s", cut);
	free(cut);
}

void board_tell(struct board *b, enum board_event_kind kind, bool good)
{
	const struct board_event event = {.kind = kind, .now = b->farm->mono, .good = good};

	if (board_apply(&b->state, &event)) {
		b->dirty = true;
		if (b->state.phase == BOARD_IDLE || b->state.phase == BOARD_BUSY)
			b->detail[0] = '\0';
	}
	schedule_board_idle(b->farm->schedule, b->seat, b->state.phase == BOARD_IDLE && !b->dirty);
}

/* ---- What cohort-board says ---- */

static void hint_state(struct board *b, const json_t *event)
{
	const char *state = json_string_value(json_object_get(event, "state"));
	const char *detail = json_string_value(json_object_get(event, "detail"));
	json_t *facts = json_object_get(event, "facts");

	if (!state)
		return;
	b->seen = true;
	if (json_is_object(facts)) {
		json_decref(b->facts);
		b->facts = json_incref(facts);
		b->dirty = true;
	}
	if (strcmp(state, "unreachable") == 0) {
		if (detail && !b->state.leased)
			board_detail(b, detail);
		board_tell(b, BOARD_EV_UNREACHABLE, false);
	} else if (strcmp(state, "idle") == 0) {
		board_tell(b, BOARD_EV_REACHABLE, false);
	}
}

void board_hint(struct board *b, char *line, size_t len)
{
	struct err err;
	SCOPED_JSON event = jx_parse(line, len, HINT_MAX, &err);
	const char *ev = json_string_value(json_object_get(event, "ev"));

	if (!event)
		log_warn("board %s: a hint that is no JSON: %s", b->name, err.text);
	else if (ev && strcmp(ev, "hello") == 0)
		board_tell(b, BOARD_EV_HELLO, false);
	else if (ev && strcmp(ev, "state") == 0)
		hint_state(b, event);
	else if (ev && strcmp(ev, "journal") == 0)
		b->hinted = true;
}

/* ---- Rows ---- */

void board_free(struct board *b)
{
	attempt_free(b->attempt);
	lines_release(&b->lines);
	json_decref(b->facts);
	free(b->name);
	free(b->arch);
	free(b->document);
	free(b->path);
	free(b);
}

static void seat_take(struct farm *farm, int seat, int index)
{
	size_t want = (size_t)seat + 1;

	if (want > farm->seats) {
		size_t grown = want * 2;

		farm->seat_board = xrealloc(farm->seat_board, grown * sizeof(*farm->seat_board));
		for (size_t i = farm->seats; i < grown; i++)
			farm->seat_board[i] = -1;
		farm->seats = grown;
	}
	farm->seat_board[seat] = index;
}

/* The document's own words that the farm needs. */
static bool document_read(struct board *b)
{
	SCOPED_JSON doc = json_loads(b->document, 0, NULL);
	const json_t *boot = json_object_get(doc, "boot");
	const char *method = json_string_value(json_object_get(boot, "method"));
	const json_t *memory = json_object_get(doc, "memory_mib");

	b->memory_mib = json_is_integer(memory) ? json_integer_value(memory) : 64;
	return method && strcmp(method, "command") == 0;
}

static void board_fill(struct board *b, const struct farm_board_row *row)
{
	free(b->name);
	free(b->arch);
	free(b->document);
	free(b->path);
	b->name = xstrdup(row->name);
	b->arch = xstrdup(row->arch);
	b->document = xstrdup(row->document);
	b->path = row->path ? xstrdup(row->path) : NULL;
	b->stamp = row->updated;
}

static void board_add(struct farm *farm, const struct farm_board_row *row)
{
	struct board *b = xcalloc(1, sizeof(*b));

	if (farm->boards_count == farm->boards_room) {
		farm->boards_room = farm->boards_room ? farm->boards_room * 2 : 16;
		farm->boards = xrealloc(farm->boards, farm->boards_room * sizeof(void *));
	}
	b->farm = farm;
	b->id = row->id;
	b->in = b->out = b->pidfd = -1;
	b->watch_out = (struct watch){.board = b};
	b->watch_process = (struct watch){.board = b, .process = true};
	board_fill(b, row);
	board_init(&b->state, document_read(b), row->disabled, false);
	b->state.spawn_at = farm->mono;
	b->dirty = true;
	b->seat = schedule_board(farm->schedule, b->name);
	seat_take(farm, b->seat, (int)farm->boards_count);
	farm->boards[farm->boards_count++] = b;
	table_put(&farm->boards_by_id, (uint64_t)b->id, b);
}

static void board_change(struct board *b, const struct farm_board_row *row)
{
	bool same = strcmp(b->document, row->document) == 0 &&
	            strcmp(b->path ? b->path : "", row->path ? row->path : "") == 0;

	if (!same)
		b->restart = true;
	board_fill(b, row);
	if (!same)
		b->state.boots = document_read(b);
	if (row->disabled != b->state.disabled)
		board_tell(b, row->disabled ? BOARD_EV_DISABLED : BOARD_EV_ENABLED, false);
	b->dirty = true; /* who changed the row may have changed its state too */
	schedule_board_idle(b->farm->schedule, b->seat, false);
}

static int row_take(void *arg, const struct farm_board_row *row)
{
	struct farm *farm = arg;
	struct board *b = table_get(&farm->boards_by_id, (uint64_t)row->id);

	if (b)
		board_change(b, row);
	else
		board_add(farm, row);
	return 0;
}

struct look {
	struct farm *farm;
	int64_t *ids;
	size_t count, room;
};

static int stamp_take(void *arg, int64_t id, int64_t updated)
{
	struct look *look = arg;
	const struct board *b = table_get(&look->farm->boards_by_id, (uint64_t)id);

	if (b && b->stamp == updated)
		return 0;
	if (look->count == look->room) {
		look->room = look->room ? look->room * 2 : 16;
		look->ids = xrealloc(look->ids, look->room * sizeof(*look->ids));
	}
	look->ids[look->count++] = id;
	return 0;
}

int boards_look(struct farm *farm, struct err *err)
{
	struct look look = {.farm = farm};
	struct db *db = store_read_begin(farm->config.store);
	int rc = store_board_stamps(db, stamp_take, &look, err);

	for (size_t i = 0; rc == 0 && i < look.count; i++)
		rc = store_board_read(db, look.ids[i], row_take, farm, err);
	store_read_end(farm->config.store, db);
	free(look.ids);
	return rc;
}
