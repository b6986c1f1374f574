// costs.js - what revisions cost: measured numbers of a class, each of one board, beside base's.
import {h, scroller} from "./dom.js";
import {clean, count} from "./format.js";

const TONE = {more: "warn", less: "good"};

function part(ratio) {
	const percent = Math.round((ratio - 1) * 1000) / 10;

	return `${percent < 0 ? "−" : "+"}${Math.abs(percent)}`;
}

// "+18 % (+12 to +25 %)", or "~" and how much it might be.
export function costText(cost) {
	const interval = `(${part(cost.low)} to ${part(cost.high)} %)`;

	return cost.shown === "~" ? `~ ${interval}` : `${part(cost.ratio)} % ${interval}`;
}

const differs = (row) => row.cells.some((cell) => cell?.shown && cell.shown !== "~");

function costCell(cell, unit) {
	if (!cell)
		return h("td", null, h("span", {class: "dim"}, "–"));
	const title = clean(`median ${cell.median} ${unit}, MAD ${cell.mad}, least ${cell.min}: ${cell.n} samples of ${cell.runs} boots${cell.shown ? `, p = ${cell.p}` : ""}`);

	return h("td", {title}, cell.shown ? h("span", {class: TONE[cell.shown] ? `badge ${TONE[cell.shown]}` : "num dim"}, costText(cell)) :
		h("span", {class: "num"}, `${count(cell.median)} ${unit}`));
}

function costRow(row) {
	return h("tr", null, h("th", {scope: "row"}, row.test, row.cell ? h("div", {class: "mono small"}, row.cell) : null, h("div", {class: "dim small"}, row.name, " on ", row.board)),
		row.cells.map((cell) => costCell(cell, row.unit)));
}

// button: made by the page for "show all" when there is more than what differs; it gets how many are left out.
export function costs(one, labels, all, button) {
	const rows = one.costs ?? [];
	const shown = all ? rows : rows.filter(differs);

	if (rows.length === 0)
		return null;
	return [
		h("h3", null, "Cost against base"),
		shown.length === 0 ? null : scroller(`Cost on ${one.cache} (${one.kind})`, h("table", {class: "costs"},
			h("thead", null, h("tr", null, h("th", {scope: "col"}, "Benchmark"), labels.map((label) => h("th", {scope: "col", class: "wrap"}, label)))),
			h("tbody", null, shown.map(costRow)))),
		rows.length > shown.length || all ? button(rows.length - shown.length) : null,
	];
}
