#include "server/daemon/compare/compare_json.h"

#include "common/jx.h"
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/jsonout.h"
#include "server/daemon/compare/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* key comes as it is to stand there: ",\"name\":". Most of the time goes into cells, which have no commas to think of. */
static void put_int(struct jsonout *out, const char *key, int64_t value)
{
	jsonout_raw(out, key);
	jsonout_int(out, value);
}

static void put_count(struct jsonout *out, const char *key, size_t value)
{
	put_int(out, key, (int64_t)value);
}

static void put_text(struct jsonout *out, const char *key, const char *value)
{
	jsonout_raw(out, key);
	jsonout_text(out, value);
}

static void put_number(struct jsonout *out, const char *key, double value)
{
	jsonout_raw(out, key);
	jsonout_number(out, value);
}

static void put_id(struct jsonout *out, const char *key, int64_t id)
{
	jsonout_raw(out, key);
	if (id)
		jsonout_int(out, id);
	else
		jsonout_raw(out, "null");
}

static void put_json(struct jsonout *out, const char *key, const json_t *value)
{
	char *text = jx_text(value);

	jsonout_raw(out, key);
	jsonout_raw(out, text);
	free(text);
}

/* --- rows --- */

static void put_interval(struct jsonout *out, const struct compare_tally *t)
{
	size_t told = compare_told(t);
	struct stats_interval rate = stats_wilson(compare_bad(t), told);

	if (told == 0) {
		jsonout_raw(out, ",\"low\":null,\"high\":null");
		return;
	}
	jsonout_raw(out, ",\"low\":");
	jsonout_part(out, rate.low);
	jsonout_raw(out, ",\"high\":");
	jsonout_part(out, rate.high);
}

static void put_cell(struct jsonout *out, const struct compare_row *row, size_t column)
{
	const struct compare_tally *t = &row->tally[column];
	char *proof = compare_proof(row, column);

	put_text(out, "{\"state\":", compare_state_name(t->state));
	put_interval(out, t);
	put_count(out, ",\"n\":", t->pass + t->fail + t->skip + t->other);
	put_count(out, ",\"pass\":", t->pass);
	put_count(out, ",\"fail\":", t->fail);
	put_count(out, ",\"known\":", t->known);
	put_count(out, ",\"skip\":", t->skip);
	put_count(out, ",\"other\":", t->other);
	put_count(out, ",\"missing\":", t->missing);
	put_count(out, ",\"warnings\":", t->warned);
	put_number(out, ",\"p\":", column > 0 ? t->p : NAN);
	put_text(out, ",\"proof\":", proof);
	put_id(out, ",\"result\":", t->telling);
	jsonout_raw(out, "}");
	free(proof);
}

/* F→F→P: base and the revisions. */
static void put_line(struct jsonout *out, const struct compare_row *row, size_t revisions)
{
	jsonout_raw(out, ",\"line\":\"");
	for (size_t c = 0; c <= revisions; c++) {
		char letter = compare_state_letter(row->tally[c].state);

		jsonout_raw(out, c > 0 ? "\u2192" : "");
		jsonout_bytes(out, &letter, 1);
	}
	jsonout_raw(out, "\"");
}

static void put_changes(struct jsonout *out, const struct compare_row *row, size_t columns,
                        size_t revisions)
{
	jsonout_raw(out, ",\"changes\":[");
	for (size_t c = 0; c < columns; c++)
		put_text(out, c > 0 ? "," : "",
		         c > 0 && c <= revisions ? compare_change_name(row->tally[c].change)
		                                 : NULL);
	jsonout_raw(out, "]");
}

static void put_known(struct jsonout *out, const struct compare_known *known)
{
	put_text(out, ",\"known\":", known ? known->why : NULL);
	if (!known || !known->issue) {
		jsonout_raw(out, ",\"issue\":null");
		return;
	}
	put_int(out, ",\"issue\":{\"id\":", known->issue);
	put_text(out, ",\"link\":", known->link);
	jsonout_raw(out, "}");
}

static void put_row(struct jsonout *out, const struct compare_row *row,
                    const struct comparison *all)
{
	const struct compare_tally *last = &row->tally[compare_last(all)];
	char *proof = compare_proof(row, compare_last(all));

	put_text(out, "{\"test\":", row->test);
	put_text(out, ",\"cell\":", row->cell[0] ? row->cell : NULL);
	put_text(out, ",\"test_kind\":", compare_kind_name(row->kind));
	put_known(out, row->known);
	put_text(out, ",\"class_of_change\":", compare_change_name(last->change));
	put_changes(out, row, all->columns, all->revisions);
	put_line(out, row, all->revisions);
	put_number(out, ",\"p\":", last->p);
	put_text(out, ",\"proof\":", proof);
	jsonout_raw(out, ",\"cells\":[");
	for (size_t c = 0; c < all->columns; c++) {
		jsonout_raw(out, c > 0 ? "," : "");
		put_cell(out, row, c);
	}
	jsonout_raw(out, "]}");
	free(proof);
}

/* --- costs --- */

static void put_cost(struct jsonout *out, const struct cost_cell *cell)
{
	if (cell->count == 0) {
		jsonout_raw(out, "null");
		return;
	}
	put_count(out, "{\"n\":", cell->count);
	put_count(out, ",\"runs\":", cell->groups);
	put_number(out, ",\"median\":", cell->median);
	put_number(out, ",\"mad\":", cell->mad);
	put_number(out, ",\"min\":", cell->min);
	put_text(out, ",\"shown\":", cost_change_name(cell->change));
	if (cost_change_name(cell->change)) {
		put_number(out, ",\"ratio\":", cell->ratio);
		put_number(out, ",\"low\":", cell->low);
		put_number(out, ",\"high\":", cell->high);
		put_number(out, ",\"p\":", cell->p);
	}
	jsonout_raw(out, "}");
}

static void put_costs(struct jsonout *out, const struct cost_table *costs, size_t columns)
{
	jsonout_raw(out, ",\"costs\":[");
	for (size_t i = 0; i < costs->count; i++) {
		const struct cost_row *row = &costs->rows[i];

		put_text(out, i > 0 ? ",{\"test\":" : "{\"test\":", row->test);
		put_text(out, ",\"cell\":", row->cell[0] ? row->cell : NULL);
		put_text(out, ",\"name\":", row->name);
		put_text(out, ",\"unit\":", row->unit);
		put_text(out, ",\"board\":", row->board);
		jsonout_raw(out, ",\"cells\":[");
		for (size_t c = 0; c < columns; c++) {
			jsonout_raw(out, c > 0 ? "," : "");
			put_cost(out, &row->cells[c]);
		}
		jsonout_raw(out, "]}");
	}
	jsonout_raw(out, "]");
}

static void put_cost_summary(struct jsonout *out, const struct cost_summary *cost)
{
	if (cost->compared == 0) {
		jsonout_raw(out, ",\"cost\":null");
		return;
	}
	put_count(out, ",\"cost\":{\"compared\":", cost->compared);
	put_count(out, ",\"more\":", cost->more);
	put_count(out, ",\"less\":", cost->less);
	put_number(out, ",\"ratio\":", cost->ratio);
	put_number(out, ",\"low\":", cost->low);
	put_number(out, ",\"high\":", cost->high);
	put_text(out, ",\"shown\":", cost->more > 0 ? "more" : cost->less > 0 ? "less" : "~");
	jsonout_raw(out, "}");
}

/* --- classes --- */

static void put_column(struct jsonout *out, const struct compare_column *c, const json_t *label)
{
	put_text(out, "{\"label\":", json_string_value(label));
	put_text(out, ",\"state\":", compare_verdict_name(c->state));
	put_text(out, ",\"verdict\":", judgement_name(c->verdict));
	put_text(out, ",\"why\":", c->why);
	put_count(out, ",\"runs\":", c->runs);
	put_count(out, ",\"pass\":", c->pass);
	put_count(out, ",\"fail\":", c->fail);
	put_count(out, ",\"known_fail\":", c->known_fail);
	put_count(out, ",\"skip\":", c->skip);
	put_count(out, ",\"other\":", c->other);
	put_count(out, ",\"missing\":", c->missing);
	put_count(out, ",\"gap_fail\":", c->gap_fail);
	put_count(out, ",\"faults\":", c->faults);
	put_count(out, ",\"warnings\":", c->warnings);
	put_count(out, ",\"undecided\":", c->undecided);
	put_text(out, ",\"build_failed\":", c->build_failed);
	put_cost_summary(out, &c->cost);
	jsonout_raw(out, "}");
}

static void put_sensitivity(struct jsonout *out, const struct compare_class *class)
{
	if (class->sense == SENSE_UNASKED) {
		jsonout_raw(out, ",\"sensitivity\":null");
		return;
	}
	put_text(out, ",\"sensitivity\":{\"state\":", judge_sense_name(class->sense));
	jsonout_raw(out, ",\"controls\":[");
	for (size_t i = 0; i < class->controls_count; i++) {
		const struct compare_control *control = &class->controls[i];

		put_count(out, i > 0 ? ",{\"column\":" : "{\"column\":", control->column);
		put_text(out, ",\"test\":", control->test);
		put_text(out, ",\"seen\":", compare_seen_name(control->seen));
		put_id(out, ",\"result\":", control->telling);
		jsonout_raw(out, "}");
	}
	jsonout_raw(out, "]}");
}

static void put_class(struct jsonout *out, const struct compare_class *class,
                      const struct comparison *all, const json_t *labels)
{
	const char *note = compare_note(class->cache, class->kind);

	put_text(out, "{\"cache\":", class->cache);
	put_text(out, ",\"kind\":", class->kind);
	jsonout_raw(out, note ? ",\"proves_coherency\":false" : ",\"proves_coherency\":true");
	put_text(out, ",\"note\":", note);
	put_sensitivity(out, class);
	jsonout_raw(out, ",\"columns\":[");
	for (size_t c = 0; c < all->columns; c++) {
		jsonout_raw(out, c > 0 ? "," : "");
		put_column(out, &class->columns[c], json_array_get(labels, c));
	}
	jsonout_raw(out, "]");
	put_costs(out, &class->costs, all->columns);
	jsonout_raw(out, ",\"rows\":[");
	for (size_t i = 0; i < class->rows_count; i++) {
		jsonout_raw(out, i > 0 ? "," : "");
		put_row(out, &class->rows[i], all);
	}
	jsonout_raw(out, "]}");
}

char *compare_json(const struct comparison *comparison, const struct compare_titles *titles,
                   size_t *len)
{
	char *headline = compare_headline(comparison, titles->labels);
	struct jsonout out = {0};

	put_json(&out, "{\"labels\":", titles->labels);
	put_json(&out, ",\"columns\":", titles->columns);
	put_json(&out, ",\"builds\":", titles->builds);
	put_text(&out, ",\"headline\":", headline);
	jsonout_raw(&out, ",\"classes\":[");
	for (size_t i = 0; i < comparison->classes_count; i++) {
		jsonout_raw(&out, i > 0 ? "," : "");
		put_class(&out, &comparison->classes[i], comparison, titles->labels);
	}
	jsonout_raw(&out, "]}");
	free(headline);
	*len = out.len;
	return jsonout_end(&out);
}
