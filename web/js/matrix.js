// matrix.js - the headline of a comparison: cache class x build. Each cell says its state in words and as n/N.
import {costText} from "./costs.js";
import {h, scroller} from "./dom.js";
import {count, plural} from "./format.js";
import {kindLabel, progress, runLink, boardLink, stage, fault} from "./parts.js";
import {COLUMN, JUDGED, SEEN, SYMBOL, TONE} from "./words.js";

function planned(column) {
	return column.pass + column.fail + column.known_fail + column.skip + column.other + column.missing;
}

function numbers(column) {
	const all = planned(column);

	// While it runs, nobody knows yet how many results a column will have; its runs say how far they are.
	if (column.state === "running")
		return column.fail > 0 ? `${count(column.fail)} fail so far` : `${count(column.pass)} pass so far`;
	if (column.fail > 0)
		return `${count(column.fail)}/${count(all)} fail`;
	return `${count(column.pass)}/${count(all)} pass`;
}

function remarks(column) {
	return [
		column.fail > 0 ? `${count(column.pass)} pass` : null,
		column.skip > 0 ? `${count(column.skip)} skipped` : null,
		column.other > 0 ? `${count(column.other)} without verdict` : null,
		column.missing > 0 ? `${count(column.missing)} missing` : null,
		column.known_fail > 0 ? `${count(column.known_fail)} known to fail` : null,
		column.gap_fail > 0 ? `${plural(column.gap_fail, "gap test")} failed, as data` : null,
		column.warnings > 0 ? plural(column.warnings, "kernel warning") : null,
		column.faults > 0 ? plural(column.faults, "farm fault") : null,
	].filter(Boolean);
}

function stateBadge(state, proves) {
	const hollow = state === "pass" && !proves;

	return h("span", {class: `badge big ${hollow ? "hollow" : TONE[state] ?? "quiet"}`},
		h("span", {"aria-hidden": "true"}, SYMBOL[state] ?? "?", " "), COLUMN[state] ?? state);
}

// The verdict on a revision, and its one sentence.
function judged(column) {
	if (!column.verdict || column.state === "running")
		return null;
	return [h("div", null, h("span", {class: `badge big ${TONE[column.verdict] ?? "quiet"}`}, h("span", {"aria-hidden": "true"}, SYMBOL[column.verdict] ?? "?", " "), JUDGED[column.verdict] ?? column.verdict)),
		h("div", {class: "small why"}, column.why),
		column.cost ? h("div", {class: "small"}, "cost ", h("span", {class: "num"}, costText(column.cost))) : null];
}

function runLine(run) {
	return h("div", {class: "small"}, runLink(run.id), run.board ? [" on ", boardLink(run.board)] : null,
		run.state === "running" ? [h("div", null, progress(`results of run ${run.id}`, run.arrived, run.planned)), h("div", null, stage(run))] :
			run.state === "queued" ? ` ${stage(run) ?? "queued"}` : null,
		run.state === "failed" ? fault(run.fault) : null);
}

function cell(column, proves, runs) {
	return h("td", {class: `matrix-cell ${column.state}`}, judged(column), column.build_failed ? h("div", {class: "small"}, "does not build") : column.runs === 0 ? [stateBadge("no-verdict", proves), h("div", {class: "small"}, "not run")] : [
		h("div", null, stateBadge(column.state, proves), " ", h("span", {class: "num"}, numbers(column))),
		remarks(column).map((remark) => h("div", {class: "small"}, remark)),
	], runs.map(runLine));
}

// What the builds of a column are called: one name, or one a class.
function columnHead(compare, index) {
	const names = new Set((compare.builds[index] ?? []).map((build) => build.name));

	names.delete(compare.labels[index]);
	return h("th", {scope: "col"}, h("span", {class: "wrap"}, compare.labels[index]), index === 0 && compare.labels[0] !== "base" ? h("span", {class: "dim small"}, " base") : null,
		compare.columns?.[index]?.role === "control" ? h("div", {class: "dim small"}, "control: must fail") : null,
		names.size === 1 ? h("div", {class: "dim small wrap"}, [...names][0]) : null);
}

// What each control did: without one that fails, a pass of this class means little.
export function controls(one, labels) {
	return (one.sensitivity?.controls ?? []).map((control) => h("div", {class: control.seen === "fails" ? "small" : "small caution"},
		control.seen === "passes" ? h("strong", null, "not sensitive: ") : null, labels[control.column], ` ${SEEN[control.seen] ?? control.seen} `, h("span", {class: "mono"}, control.test)));
}

function notes(compare) {
	const byNote = new Map();

	for (const one of compare.classes) {
		if (one.note)
			byNote.set(one.note, [...(byNote.get(one.note) ?? []), `${one.cache} (${one.kind})`]);
	}
	return [...byNote].map(([note, classes]) => h("p", {class: "note"}, h("strong", null, classes.join(", ")), ": ", note));
}

// The id of a class's section on the compare page.
export function classId(one) {
	return `class-${one.cache}-${one.kind}`;
}

// compare: reply of /compare. runs: run summaries to show in the cells, or []. at: the page that has the classes' sections.
export function matrix(compare, runs = [], at = "") {
	if (compare.classes.length === 0)
		return h("p", {class: "dim"}, "No run yet.");
	return [
		scroller("Cache class by build", h("table", {class: "matrix"},
			h("caption", {class: "unseen"}, "Cache class by build"),
			h("thead", null, h("tr", null, h("th", {scope: "col"}, "Cache class"), compare.labels.map((_, i) => columnHead(compare, i)))),
			h("tbody", null, compare.classes.map((one) => h("tr", null,
				h("th", {scope: "row"}, h("a", {href: `${at}#${classId(one)}`, class: "mono"}, one.cache), " ", kindLabel(one.kind),
					one.proves_coherency ? null : h("div", {class: "small caution"}, "cannot prove coherency"), controls(one, compare.labels)),
				one.columns.map((column, i) => cell(column, one.proves_coherency,
					runs.filter((run) => run.cache === one.cache && run.kind === one.kind && run.column === i)))))))),
		notes(compare),
	];
}
