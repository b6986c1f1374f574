#include "emit.h"

#include "jsonw.h"
#include "measure.h"

#include <stdlib.h>

#define LIST_MAX_BYTES (4U << 20)

static void put_line(FILE *out, struct jsonw *json)
{
	/* Every value in a line is bounded, so a line that does not fit is a mistake of ours;
	 * half a line would be worse. */
	if (jsonw_finish(json) < 0)
		abort();
	(void)fprintf(out, "%s\n", json->text);
}

static void put_colour(struct jsonw *json, const char *key, int colour)
{
	if (colour < 0)
		jsonw_null(json, key);
	else
		jsonw_signed(json, key, colour);
}

static void put_flag(struct jsonw *json, const char *key, int flag)
{
	if (flag < 0)
		jsonw_null(json, key);
	else
		jsonw_bool(json, key, flag != 0);
}

static void put_place(struct jsonw *json, const struct place *place)
{
	char va[24];

	(void)snprintf(va, sizeof(va), "0x%llx", (unsigned long long)place->va);
	jsonw_string(json, "va", va);
	if (place->pfn == 0)
		jsonw_null(json, "pfn");
	else
		jsonw_unsigned(json, "pfn", place->pfn);
	put_colour(json, "u_colour", place->user_colour);
	put_colour(json, "k_colour", place->kernel_colour);
	put_flag(json, "kpf_arch_before", place->arch_before);
	put_flag(json, "kpf_arch_after", place->arch_after);
	jsonw_string(json, "seen_by", place->by_child != 0 ? "child" : "test");
}

static void put_signature(struct jsonw *json, const struct mismatch *mismatch)
{
	char letters[VIEW_COUNT + 1];

	for (unsigned int view = 0; view < VIEW_COUNT; view++)
		letters[view] = (mismatch->signature >> view & 1U) != 0 ? 'B' : 'G';
	letters[VIEW_COUNT] = '\0';
	jsonw_string(json, "signature", letters);
}

static void emit_mismatch(FILE *out, const struct report *report, const struct mismatch *mismatch)
{
	static char text[LINE_MAX_BYTES];
	char name[CELL_NAME_MAX];
	char bitmap[PAGE_HALVES / 4U + 1U];
	struct jsonw json;

	test_cell_name(report->test, mismatch->cell, name);
	halves_print(&mismatch->halves, bitmap);
	jsonw_start(&json, text, sizeof(text));
	jsonw_open_object(&json, NULL);
	jsonw_string(&json, "type", "mismatch");
	jsonw_string(&json, "test", report->test->name);
	jsonw_string(&json, "cell", name);
	jsonw_string(&json, "kind", kind_name(test_cell_kind(report->test, mismatch->cell)));
	jsonw_unsigned(&json, "iteration", mismatch->iteration);
	put_place(&json, &mismatch->place);
	jsonw_unsigned(&json, "offset", mismatch->offset);
	jsonw_unsigned(&json, "length", mismatch->length);
	jsonw_hex(&json, "expected", mismatch->expected, sizeof(mismatch->expected));
	jsonw_hex(&json, "actual", mismatch->actual, sizeof(mismatch->actual));
	jsonw_string(&json, "halfline_bitmap", bitmap);
	jsonw_open_object(&json, "tags");
	for (unsigned int tag = 0; tag < TAG_COUNT; tag++)
		jsonw_unsigned(&json, tag_name((enum tag)tag), mismatch->tags[tag]);
	jsonw_close_object(&json);
	put_signature(&json, mismatch);
	jsonw_string(&json, "class", fault_name(mismatch->fault));
	jsonw_unsigned(&json, "nvcsw", mismatch->nvcsw);
	jsonw_unsigned(&json, "nivcsw", mismatch->nivcsw);
	jsonw_unsigned(&json, "repeat", mismatch->repeats);
	jsonw_close_object(&json);
	put_line(out, &json);
}

static void put_each(struct jsonw *json, const struct statistic *statistic)
{
	jsonw_open_array(json, "samples");
	for (unsigned int i = 0; i < statistic->count; i++)
		jsonw_unsigned(json, NULL, statistic->samples[i]);
	jsonw_close_array(json);
}

static void emit_value(FILE *out, const struct report *report, const struct value *value)
{
	static char text[LINE_MAX_BYTES];
	struct statistic statistic = measure_statistic(value);
	char name[CELL_NAME_MAX];
	struct jsonw json;
	int64_t per_page;

	test_cell_name(report->test, value->cell, name);
	jsonw_start(&json, text, sizeof(text));
	jsonw_open_object(&json, NULL);
	jsonw_string(&json, "type", "value");
	jsonw_string(&json, "test", report->test->name);
	jsonw_string(&json, "cell", name);
	jsonw_string(&json, "name", value->operation);
	jsonw_unsigned(&json, "value", statistic.median);
	jsonw_string(&json, "unit", "ns");
	jsonw_unsigned(&json, "mad", statistic.mad);
	jsonw_unsigned(&json, "min", statistic.least);
	put_each(&json, &statistic);
	jsonw_unsigned(&json, "repeats", value->repeats);
	jsonw_unsigned(&json, "pages", value->pages);
	if (measure_per_page(report, value, &per_page))
		jsonw_signed(&json, "per_page_ns", per_page);
	else
		jsonw_null(&json, "per_page_ns");
	jsonw_open_array(&json, "loop_ns");
	jsonw_unsigned(&json, NULL, value->loop_ns[0]);
	jsonw_unsigned(&json, NULL, value->loop_ns[1]);
	jsonw_close_array(&json);
	jsonw_close_object(&json);
	put_line(out, &json);
}

static void emit_cell(FILE *out, const struct report *report, unsigned int index)
{
	static char text[LINE_MAX_BYTES];
	const struct cell_result *cell = &report->cells[index];
	char name[CELL_NAME_MAX];
	struct jsonw json;
	enum reason reason = REASON_NONE;

	if (report->cell_verdicts[index] == VERDICT_SKIP)
		reason = cell->skip != REASON_NONE ? cell->skip : report->stop_reason;
	else if (cell->unsteady != 0)
		reason = REASON_CLOCK;
	test_cell_name(report->test, index, name);
	jsonw_start(&json, text, sizeof(text));
	jsonw_open_object(&json, NULL);
	jsonw_string(&json, "type", "cell");
	jsonw_string(&json, "test", report->test->name);
	jsonw_string(&json, "cell", name);
	jsonw_string(&json, "kind", kind_name(test_cell_kind(report->test, index)));
	jsonw_string(&json, "verdict", verdict_name(report->cell_verdicts[index]));
	jsonw_string(&json, "reason", reason_name(reason));
	jsonw_unsigned(&json, "trials", cell->trials);
	jsonw_unsigned(&json, "bad", cell->bad);
	jsonw_unsigned(&json, "masked", cell->masked);
	jsonw_string(&json, "class", fault_name(report->cell_faults[index]));
	jsonw_close_object(&json);
	put_line(out, &json);
}

static void emit_result(FILE *out, const struct report *report)
{
	static char text[LINE_MAX_BYTES];
	struct jsonw json;

	jsonw_start(&json, text, sizeof(text));
	jsonw_open_object(&json, NULL);
	jsonw_string(&json, "type", "result");
	jsonw_string(&json, "test", report->test->name);
	jsonw_string(&json, "kind", kind_name(report->test->kind));
	jsonw_string(&json, "verdict", verdict_name(report->verdict));
	jsonw_string(&json, "reason", reason_name(report->reason));
	jsonw_string(&json, "detail", report->detail);
	jsonw_unsigned(&json, "trials", report->trials);
	jsonw_unsigned(&json, "bad", report->bad);
	jsonw_unsigned(&json, "masked", report->masked);
	jsonw_unsigned(&json, "iterations", report->iterations);
	jsonw_unsigned(&json, "seed", report->seed);
	jsonw_unsigned(&json, "duration_us", report->duration_us);
	jsonw_close_object(&json);
	put_line(out, &json);
}

void emit_json(FILE *out, const struct report *report)
{
	for (unsigned int i = 0; i < report->mismatch_count; i++)
		emit_mismatch(out, report, &report->mismatches[i]);
	for (unsigned int i = 0; i < report->value_count; i++)
		emit_value(out, report, &report->values[i]);
	for (unsigned int i = 0; i < report->cell_count; i++)
		emit_cell(out, report, i);
	emit_result(out, report);
	(void)fflush(out);
}

static void list_bits(struct jsonw *json, const char *key, unsigned int mask, unsigned int count,
                      const char *(*name)(unsigned int))
{
	jsonw_open_array(json, key);
	for (unsigned int i = 0; i < count; i++) {
		if ((mask >> i & 1U) != 0)
			jsonw_string(json, NULL, name(i));
	}
	jsonw_close_array(json);
}

/* The cells of test; with only_gaps those that promise nothing although the test does. */
static void list_cells(struct jsonw *json, const char *key, const struct test *test, bool only_gaps)
{
	jsonw_open_array(json, key);
	for (unsigned int i = 0; i < test_cells(test); i++) {
		char name[CELL_NAME_MAX];

		if (only_gaps && test_cell_kind(test, i) != KIND_GAP)
			continue;
		test_cell_name(test, i, name);
		jsonw_string(json, NULL, name);
	}
	jsonw_close_array(json);
}

static void list_test(struct jsonw *json, const struct test *test)
{
	jsonw_open_object(json, NULL);
	jsonw_string(json, "name", test->name);
	jsonw_string(json, "description", test->description);
	jsonw_string(json, "api", test->api);
	jsonw_string(json, "kind", kind_name(test->kind));
	jsonw_string(json, "set", set_name(test->set));
	list_bits(json, "classes", test->classes, CLASS_COUNT, class_name);
	list_bits(json, "needs", test->needs, NEED_COUNT, need_name);
	jsonw_unsigned(json, "time_limit_s", test->time_limit_s);
	jsonw_unsigned(json, "iterations", test->iterations);
	list_cells(json, "cells", test, false);
	list_cells(json, "gap_cells", test, true);
	jsonw_close_object(json);
}

int emit_list(FILE *out)
{
	/* Not static: a test's process locks all of its memory. */
	char *text = malloc(LIST_MAX_BYTES);
	struct jsonw json;
	int result;

	if (text == NULL)
		return -1;
	jsonw_start(&json, text, LIST_MAX_BYTES);
	jsonw_open_object(&json, NULL);
	jsonw_string(&json, "suite", "coherence");
	jsonw_string(&json, "version", COHORT_VERSION);
	jsonw_string(&json, "description", "cache coherency between user mappings and the kernel");
	jsonw_open_array(&json, "tests");
	for (size_t i = 0; i < test_count; i++)
		list_test(&json, tests[i]);
	jsonw_close_array(&json);
	jsonw_close_object(&json);
	result = jsonw_finish(&json) < 0 ? -1 : 0;
	if (result == 0)
		(void)fprintf(out, "%s\n", text);
	free(text);
	return result;
}
