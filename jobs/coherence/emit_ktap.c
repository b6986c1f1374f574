#include "emit.h"

#include "measure.h"

#include <inttypes.h>

/* The result line of one test or cell. Descriptions here never contain '#'. */
static void put_result(FILE *out, const char *indent, size_t number, const char *name,
                       enum verdict verdict, enum kind kind, const char *reason)
{
	const char *word = reason != NULL ? reason : "";

	switch (verdict) {
	case VERDICT_PASS:
		(void)fprintf(out, "%sok %zu %s\n", indent, number, name);
		return;
	case VERDICT_SKIP:
		(void)fprintf(out, "%sok %zu %s # SKIP %s\n", indent, number, name, word);
		return;
	case VERDICT_FAIL:
		if (kind == KIND_GAP)
			(void)fprintf(out, "%sok %zu %s # XFAIL gap\n", indent, number, name);
		else
			(void)fprintf(out, "%snot ok %zu %s\n", indent, number, name);
		return;
	case VERDICT_INCONCLUSIVE:
	case VERDICT_ERROR:
	default:
		(void)fprintf(out, "%snot ok %zu %s # %s %s\n", indent, number, name,
		              reason != NULL && reason[0] == 't' ? "TIMEOUT" : "ERROR", word);
	}
}

void emit_ktap_plan(FILE *out, size_t tests_planned)
{
	(void)fprintf(out, "KTAP version 1\n1..%zu\n", tests_planned);
	(void)fflush(out);
}

static void put_mismatch(FILE *out, const struct report *report, const struct mismatch *mismatch)
{
	char name[CELL_NAME_MAX];
	char bitmap[PAGE_HALVES / 4U + 1U];

	test_cell_name(report->test, mismatch->cell, name);
	halves_print(&mismatch->halves, bitmap);
	(void)fprintf(out, "  # %s: %s, pfn %llu, %u more, half-lines %s\n", name,
	              fault_name(mismatch->fault), (unsigned long long)mismatch->place.pfn,
	              mismatch->repeats, bitmap);
}

static void put_value(FILE *out, const struct report *report, const struct value *value)
{
	struct statistic statistic = measure_statistic(value);
	char name[CELL_NAME_MAX];
	int64_t per_page;

	test_cell_name(report->test, value->cell, name);
	(void)fprintf(out, "  # %s: %s %" PRIu64 " ns, mad %" PRIu64 ", min %" PRIu64, name,
	              value->operation, statistic.median, statistic.mad, statistic.least);
	if (measure_per_page(report, value, &per_page))
		(void)fprintf(out, ", %" PRId64 " ns a page", per_page);
	(void)fputc('\n', out);
}

void emit_ktap(FILE *out, const struct report *report, size_t number)
{
	(void)fprintf(out, "  KTAP version 1\n  # Subtest: %s\n  1..%u\n", report->test->name,
	              report->cell_count);
	for (unsigned int i = 0; i < report->mismatch_count; i++)
		put_mismatch(out, report, &report->mismatches[i]);
	for (unsigned int i = 0; i < report->value_count; i++)
		put_value(out, report, &report->values[i]);
	for (unsigned int i = 0; i < report->cell_count; i++) {
		char name[CELL_NAME_MAX];
		enum reason reason = report->cells[i].skip;

		if (reason == REASON_NONE)
			reason =
				report->cells[i].unsteady != 0 ? REASON_CLOCK : report->stop_reason;
		test_cell_name(report->test, i, name);
		put_result(out, "  ", i + 1U, name, report->cell_verdicts[i],
		           test_cell_kind(report->test, i), reason_name(reason));
	}
	put_result(out, "", number, report->test->name, report->verdict, report->test->kind,
	           reason_name(report->reason));
	(void)fflush(out);
}
