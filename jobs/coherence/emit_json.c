#include "emit.h"

#include "json.h"

#include <stdlib.h>

#define LIST_MAX_BYTES 262144U

static void put_line(FILE *out, struct json *json)
{
	/* Every value in a line is bounded, so a line that does not fit is a mistake of ours;
	 * half a line would be worse. */
	if (json_finish(json) < 0)
		abort();
	(void)fprintf(out, "%s\n", json->text);
}

static void put_colour(struct json *json, const char *key, int colour)
{
	if (colour < 0)
		json_null(json, key);
	else
		json_signed(json, key, colour);
}

static void put_flag(struct json *json, const char *key, int flag)
{
	if (flag < 0)
		json_null(json, key);
	else
		json_bool(json, key, flag != 0);
}

static void put_place(struct json *json, const struct place *place)
{
	char va[24];

	(void)snprintf(va, sizeof(va), "0x%llx", (unsigned long long)place->va);
	json_string(json, "va", va);
	if (place->pfn == 0)
		json_null(json, "pfn");
	else
		json_unsigned(json, "pfn", place->pfn);
	put_colour(json, "u_colour", place->user_colour);
	put_colour(json, "k_colour", place->kernel_colour);
	put_flag(json, "kpf_arch_before", place->arch_before);
	put_flag(json, "kpf_arch_after", place->arch_after);
	json_string(json, "seen_by", place->by_child ? "child" : "test");
}

static void put_signature(struct json *json, const struct mismatch *mismatch)
{
	char letters[VIEW_COUNT + 1];

	for (unsigned int view = 0; view < VIEW_COUNT; view++)
		letters[view] = (mismatch->signature >> view & 1U) != 0 ? 'B' : 'G';
	letters[VIEW_COUNT] = '\0';
	json_string(json, "signature", letters);
}

static void emit_mismatch(FILE *out, const struct report *report, const struct mismatch *mismatch)
{
	static char text[LINE_MAX_BYTES];
	char name[CELL_NAME_MAX];
	char bitmap[PAGE_HALVES / 4U + 1U];
	struct json json;

	test_cell_name(report->test, mismatch->cell, name);
	halves_print(&mismatch->halves, bitmap);
	json_start(&json, text, sizeof(text));
	json_open_object(&json, NULL);
	json_string(&json, "type", "mismatch");
	json_string(&json, "test", report->test->name);
	json_string(&json, "cell", name);
	json_string(&json, "kind", kind_name(test_cell_kind(report->test, mismatch->cell)));
	json_unsigned(&json, "iteration", mismatch->iteration);
	put_place(&json, &mismatch->place);
	json_unsigned(&json, "offset", mismatch->offset);
	json_unsigned(&json, "length", mismatch->length);
	json_hex(&json, "expected", mismatch->expected, sizeof(mismatch->expected));
	json_hex(&json, "actual", mismatch->actual, sizeof(mismatch->actual));
	json_string(&json, "halfline_bitmap", bitmap);
	json_open_object(&json, "tags");
	for (unsigned int tag = 0; tag < TAG_COUNT; tag++)
		json_unsigned(&json, tag_name((enum tag)tag), mismatch->tags[tag]);
	json_close_object(&json);
	put_signature(&json, mismatch);
	json_string(&json, "class", fault_name(mismatch->fault));
	json_unsigned(&json, "nvcsw", mismatch->nvcsw);
	json_unsigned(&json, "nivcsw", mismatch->nivcsw);
	json_unsigned(&json, "repeat", mismatch->repeats);
	json_close_object(&json);
	put_line(out, &json);
}

static void emit_cell(FILE *out, const struct report *report, unsigned int index)
{
	static char text[LINE_MAX_BYTES];
	const struct cell_result *cell = &report->cells[index];
	char name[CELL_NAME_MAX];
	struct json json;
	enum reason reason = REASON_NONE;

	if (report->cell_verdicts[index] == VERDICT_SKIP)
		reason = cell->skip != REASON_NONE ? cell->skip : report->stop_reason;
	test_cell_name(report->test, index, name);
	json_start(&json, text, sizeof(text));
	json_open_object(&json, NULL);
	json_string(&json, "type", "cell");
	json_string(&json, "test", report->test->name);
	json_string(&json, "cell", name);
	json_string(&json, "kind", kind_name(test_cell_kind(report->test, index)));
	json_string(&json, "verdict", verdict_name(report->cell_verdicts[index]));
	json_string(&json, "reason", reason_name(reason));
	json_unsigned(&json, "trials", cell->trials);
	json_unsigned(&json, "bad", cell->bad);
	json_unsigned(&json, "masked", cell->masked);
	json_string(&json, "class", fault_name(report->cell_faults[index]));
	json_close_object(&json);
	put_line(out, &json);
}

static void emit_result(FILE *out, const struct report *report)
{
	static char text[LINE_MAX_BYTES];
	struct json json;

	json_start(&json, text, sizeof(text));
	json_open_object(&json, NULL);
	json_string(&json, "type", "result");
	json_string(&json, "test", report->test->name);
	json_string(&json, "kind", kind_name(report->test->kind));
	json_string(&json, "verdict", verdict_name(report->verdict));
	json_string(&json, "reason", reason_name(report->reason));
	json_string(&json, "detail", report->detail);
	json_unsigned(&json, "trials", report->trials);
	json_unsigned(&json, "bad", report->bad);
	json_unsigned(&json, "masked", report->masked);
	json_unsigned(&json, "iterations", report->iterations);
	json_unsigned(&json, "seed", report->seed);
	json_unsigned(&json, "duration_us", report->duration_us);
	json_close_object(&json);
	put_line(out, &json);
}

void emit_json(FILE *out, const struct report *report)
{
	for (unsigned int i = 0; i < report->mismatch_count; i++)
		emit_mismatch(out, report, &report->mismatches[i]);
	for (unsigned int i = 0; i < report->cell_count; i++)
		emit_cell(out, report, i);
	emit_result(out, report);
	(void)fflush(out);
}

static void list_bits(struct json *json, const char *key, unsigned int mask, unsigned int count,
                      const char *(*name)(unsigned int))
{
	json_open_array(json, key);
	for (unsigned int i = 0; i < count; i++) {
		if ((mask >> i & 1U) != 0)
			json_string(json, NULL, name(i));
	}
	json_close_array(json);
}

/* The cells of test; with only_gaps those that promise nothing although the test does. */
static void list_cells(struct json *json, const char *key, const struct test *test, bool only_gaps)
{
	json_open_array(json, key);
	for (unsigned int i = 0; i < test_cells(test); i++) {
		char name[CELL_NAME_MAX];

		if (only_gaps && test_cell_kind(test, i) != KIND_GAP)
			continue;
		test_cell_name(test, i, name);
		json_string(json, NULL, name);
	}
	json_close_array(json);
}

static void list_test(struct json *json, const struct test *test)
{
	json_open_object(json, NULL);
	json_string(json, "name", test->name);
	json_string(json, "description", test->description);
	json_string(json, "api", test->api);
	json_string(json, "kind", kind_name(test->kind));
	list_bits(json, "classes", test->classes, CLASS_COUNT, class_name);
	list_bits(json, "needs", test->needs, NEED_COUNT, need_name);
	json_unsigned(json, "time_limit_s", test->time_limit_s);
	json_unsigned(json, "iterations", test->iterations);
	list_cells(json, "cells", test, false);
	list_cells(json, "gap_cells", test, true);
	json_close_object(json);
}

int emit_list(FILE *out)
{
	static char text[LIST_MAX_BYTES];
	struct json json;

	json_start(&json, text, sizeof(text));
	json_open_object(&json, NULL);
	json_string(&json, "suite", "coherence");
	json_string(&json, "version", COHORT_VERSION);
	json_open_array(&json, "tests");
	for (size_t i = 0; i < test_count; i++)
		list_test(&json, tests[i]);
	json_close_array(&json);
	json_close_object(&json);
	if (json_finish(&json) < 0)
		return -1;
	(void)fprintf(out, "%s\n", text);
	return 0;
}
