// compare.js - what each build fixed and broke, per cache class, down to the evidence of one result.
import {get, errorBox, apiUrl} from "./api.js";
import {costs} from "./costs.js";
import {byId, fill, h, link, page, scroller, setTitle, syncRows, text, time} from "./dom.js";
import {clean, count, percent, plural} from "./format.js";
import {evidence, loadResult} from "./evidence.js";
import {live, throttled} from "./live.js";
import {classId, controls, matrix} from "./matrix.js";
import {badge, jobLink, kindLabel} from "./parts.js";
import {CHANGE, CHANGED, SYMBOL, TONE} from "./words.js";

const search = new URLSearchParams(location.search);
const query = search.has("job") ? {job: search.get("job")} : {builds: search.get("builds"), suite: search.get("suite")};
const filter = {changes: search.has("changes"), failures: search.has("failures"), name: search.get("test") ?? ""};
const state = {compare: null, stream: null, job: null, shown: null, opener: null};
const unfolded = new Map(); // class and test -> what was chosen by hand: "none", "some" (what is to look at), "all"

// --- rows

// Base and the revisions: that a control fails is as it should be.
const tried = (row) => row.cells.filter((_, i) => state.compare.columns?.[i]?.role !== "control");
const fails = (row) => tried(row).some((cell) => cell.fail > 0 || cell.warnings > 0);
const changed = (row) => CHANGED.includes(row.class_of_change);
const matches = (row) => (!filter.changes || changed(row)) && (!filter.failures || fails(row)) &&
	(filter.name === "" || `${row.test} ${row.cell ?? ""}`.toLowerCase().includes(filter.name.toLowerCase()));

// A test with its cells, in the order of the reply.
function groups(rows) {
	const byTest = new Map();

	for (const row of rows) {
		const group = byTest.get(row.test) ?? {test: row.test, own: null, cells: []};
		if (row.cell === null || row.cell === undefined || row.cell === "")
			group.own = row;
		else
			group.cells.push(row);
		byTest.set(row.test, group);
	}
	return [...byTest.values()];
}

function cellWord(cell, running) {
	if (!cell || (cell.n === 0 && !cell.missing))
		return ["no-verdict", running ? "to come" : "not run", ""];
	if (cell.fail > 0)
		return [cell.known === cell.fail ? "known" : "fail", cell.known === cell.fail ? "known fail" : "fail", `${count(cell.fail)}/${count(cell.n)}`];
	if (cell.warnings > 0)
		return ["error", "kernel warning", `${count(cell.warnings)}/${count(cell.n)}`];
	if (cell.missing > 0)
		return ["missing", "missing", `${count(cell.missing)}`];
	if (cell.skip >= cell.n)
		return ["skip", "skip", ""];
	if (cell.other > 0)
		return ["error", "no verdict", `${count(cell.other)}/${count(cell.n)}`];
	return ["pass", "pass", `${count(cell.n - cell.skip)}/${count(cell.n)}`];
}

// A pass where caches cannot be proved is not shown as a good one, and the failure of a gap test is no fault.
function toneOf(word, row, proves) {
	if (word === "fail" && row.test_kind !== "contract")
		return "quiet";
	return word === "pass" && !proves ? "hollow" : TONE[word] ?? "quiet";
}

function resultCell(row, cell, {label, state: columnState, role, change: changed}, proves) {
	const [word, name, number] = cellWord(cell, columnState === "running");
	const tone = role === "control" && word === "fail" ? "quiet" : toneOf(word, row, proves);
	const interval = cell?.low === null || cell?.low === undefined ? null : `bad with 95 % confidence: ${percent(cell.low)} to ${percent(cell.high)}`;
	const shown = [h("span", {class: `badge ${tone}`}, h("span", {"aria-hidden": "true"}, SYMBOL[word], " "), name), number ? h("span", {class: "num", title: interval}, " ", number) : null];

	if (!cell?.result)
		return h("td", null, shown);
	return h("td", {title: changed}, h("a", {
		class: "result", href: `#result=${cell.result}`, "data-key": `result-${cell.result}`,
		"aria-label": clean(`${row.test} ${row.cell ?? ""}, ${label}: ${name} ${number}: show the evidence`),
	}, shown));
}

function change(row) {
	return h("td", {class: "change", title: row.known ? clean(`known to fail: ${row.known}`) : CHANGE[row.class_of_change] ?? null},
		row.line ? h("div", {class: "mono small"}, row.line) : null, h("span", {class: `badge ${TONE[row.class_of_change] ?? "quiet"}`}, row.class_of_change),
		row.known ? h("div", {class: "small dim wrap"}, row.issue ? `known issue ${row.issue.id}: ` : "known: ", row.known, row.issue?.link ? [" ", h("span", {class: "mono"}, row.issue.link)] : null) : null,
		row.proof ? h("div", {class: "small dim"}, clean(row.proof)) : null);
}

function rowCells(row, {columns, proves}) {
	return [columns.map((column, i) => resultCell(row, row.cells[i], {...column, change: row.changes?.[i]}, proves)), change(row)];
}

function kindMark(row) {
	return row && row.test_kind !== "contract" ? h("span", {class: "kind"}, row.test_kind) : null;
}

const toLookAt = (row) => changed(row) || (fails(row) && row.test_kind === "contract" && row.class_of_change !== "known-failing");

// Many cells that all tell the same, as their test does, are told once.
const ALIKE_LEAST = 5;
const alike = (group, seen) => seen.length >= ALIKE_LEAST && !filter.name &&
	[...seen, group.own].every((row) => row && row.line === seen[0].line && row.class_of_change === seen[0].class_of_change && row.known === seen[0].known);

function foldButton(item, name, next, expanded, ...children) {
	return h("button", {
		type: "button", class: "fold", "aria-expanded": String(expanded), "data-key": `${name}-${item.key}`,
		onclick: () => {
			unfolded.set(item.key, next);
			show();
		},
	}, children);
}

function cellRow(row, item) {
	return h("tr", {class: "cell"}, h("th", {scope: "row"}, h("span", {class: "mono"}, row.cell), " ", row.test_kind !== item.group.own?.test_kind ? kindMark(row) : null),
		rowCells(row, item));
}

// The head of a test with its own result; pressing it shows what is to look at, or everything when nothing is.
function testRow(item) {
	const {group, open, seen, striking} = item;
	const name = group.cells.length === 0 ? h("span", {class: "fold"}, group.test) :
		foldButton(item, "fold", open === "none" ? (striking > 0 ? "some" : "all") : "none", open !== "none", h("span", {"aria-hidden": "true"}, open === "none" ? "▸ " : "▾ "), group.test);

	return h("tr", {class: "test"}, h("th", {scope: "row"}, name, " ", kindMark(group.own),
		group.cells.length > 0 ? h("span", {class: "dim small"}, " ", plural(seen, "cell"), item.alike ? " alike" : null, striking > 0 && !item.alike ? `, ${count(striking)} to look at` : null) : null),
	group.own ? rowCells(group.own, item) : [item.columns.map(() => h("td", null)), h("td", null)]);
}

function groupBody(item) {
	const cells = item.open === "none" ? [] : item.group.cells.filter((row) => matches(row) && (item.open === "all" || toLookAt(row)));
	const left = item.open === "some" ? item.seen - cells.length : 0;

	return h("tbody", null, testRow(item), cells.map((row) => cellRow(row, item)),
		left > 0 ? h("tr", {class: "cell"}, h("th", {scope: "row", colspan: String(item.columns.length + 2)},
			foldButton(item, "more", "all", false, h("span", {"aria-hidden": "true"}, "▸ "), `${plural(left, "more cell")}, unchanged`))) : null);
}

const changeOrder = Object.keys(CHANGE);

const rank = (word) => (changeOrder.includes(word) ? changeOrder.indexOf(word) : changeOrder.length);

// How many tests have each change; a test has the worst of its rows'.
function tallyOfChanges(all) {
	const counted = new Map();

	for (const group of all) {
		const worst = [group.own, ...group.cells].filter(Boolean).map((row) => row.class_of_change).sort((a, b) => rank(a) - rank(b))[0];
		counted.set(worst, (counted.get(worst) ?? 0) + 1);
	}
	return [...counted].sort((a, b) => rank(a[0]) - rank(b[0]))
		.map(([word, number]) => h("span", {class: `badge ${TONE[word] ?? "quiet"}`}, `${count(number)} ${word}`));
}

function classSection(one) {
	return h("section", {class: "class", id: classId(one)},
		h("h2", null, h("span", {class: "mono"}, one.cache), " ", kindLabel(one.kind)),
		h("p", {class: "caution small"}), h("div", {class: "controls"}), h("p", {class: "tally"}),
		scroller(`Results on ${one.cache} (${one.kind})`, h("table", {class: state.compare.labels.length <= 3 ? "results few" : "results"})),
		h("p", {class: "dim none"}), h("div", {class: "cost-part"}));
}

function showCosts(one, section) {
	const key = `${one.cache}/${one.kind}//costs`;
	const all = unfolded.get(key) === "all";

	fill(section.querySelector(".cost-part"), costs(one, state.compare.labels, all, (left) => h("p", null,
		foldButton({key}, "costs", all ? "some" : "all", all, all ? "Only what differs" : `${plural(left, "measured number")} without a difference`))));
}

function showClass(one, section) {
	const all = groups(one.rows);
	const items = [];

	for (const group of all) {
		const seen = group.cells.filter(matches);
		if (seen.length === 0 && !(group.own && matches(group.own)))
			continue;
		const key = `${one.cache}/${one.kind}/${group.test}`;
		const striking = seen.filter(toLookAt).length;
		const same = striking > 0 && alike(group, seen);
		items.push({key, group, seen: seen.length, striking, alike: same, open: unfolded.get(key) ?? (striking > 0 && !same ? "some" : "none"),
			columns: one.columns.map((column, i) => ({label: column.label, state: column.state, role: state.compare.columns?.[i]?.role})), proves: one.proves_coherency, filter: {...filter}});
	}
	// A class whose control passes is blind: nothing of it is green.
	section.classList.toggle("blind", one.sensitivity?.state === "not-sensitive");
	const table = section.querySelector("table.results");
	syncRows(table, [{head: state.compare.labels}, ...items], (item) => item.key ?? "head", (item) => (item.head ? tableHead() : groupBody(item)));
	fill(section.querySelector(".caution"), one.proves_coherency ? null : one.note);
	fill(section.querySelector(".controls"), controls(one, state.compare.labels));
	fill(section.querySelector(".tally"), tallyOfChanges(all));
	showCosts(one, section);
	fill(section.querySelector(".none"), items.length === 0 ? (one.rows.length === 0 ? "No results yet." : "Nothing here passes the filter.") : null);
}

function tableHead() {
	return h("thead", null, h("tr", null, h("th", {scope: "col"}, "Test, cell"),
		state.compare.labels.map((label) => h("th", {scope: "col", class: "wrap"}, label)), h("th", {scope: "col"}, "Change")));
}

// --- the page

function show() {
	const compare = state.compare;

	fill(byId("headline"), compare.headline);
	fill(byId("matrix"), matrix(compare));
	const place = byId("classes");
	syncRows(place, compare.classes.map((one) => ({cache: one.cache, kind: one.kind, labels: compare.labels})), (one) => `${one.cache}/${one.kind}`, classSection);
	compare.classes.forEach((one, i) => showClass(one, place.children[i]));
	byId("content").hidden = false;
}

function title() {
	const what = state.job ? `Compare job ${state.job.id}: ` : "Compare: ";

	fill(byId("title"), what, state.job ? text(state.job.name, 300) : state.compare.labels.join(", "));
	fill(byId("subtitle"), state.job ? [jobLink(state.job.id), " ", badge(state.job.state), " submitted ", time(state.job.created), " · "] : null,
		"suite ", state.job?.suite ?? query.suite ?? "any", " · ", h("a", {href: apiUrl("/compare", query)}, "as JSON"));
	setTitle("compare", state.job ? `job ${state.job.id}` : state.compare.labels.join(" "), state.job?.name);
}

async function load() {
	try {
		const [compare, job] = await Promise.all([get("/compare", query), query.job ? get(`/jobs/${encodeURIComponent(query.job)}`) : null]);
		const first = state.compare === null;
		state.compare = compare;
		state.job = job;
		title();
		show();
		fill(byId("problem"));
		if (job && job.state !== "queued" && job.state !== "running")
			state.stream?.stop(`not live: the job is ${job.state}`);
		route();
		if (first && location.hash.startsWith("#class-"))
			byId(location.hash.slice(1))?.scrollIntoView();
	} catch (error) {
		fill(byId("problem"), errorBox(error, refresh));
	}
}

const refresh = throttled(2000, load);

// --- filters, kept in the address so that a view can be sent to somebody

function filters() {
	const next = new URLSearchParams(location.search);
	const set = (name, value) => (value ? next.set(name, value === true ? "1" : value) : next.delete(name));

	filter.changes = byId("only-changes").checked;
	filter.failures = byId("only-failures").checked;
	filter.name = byId("test-name").value.trim();
	set("changes", filter.changes);
	set("failures", filter.failures);
	set("test", filter.name);
	history.replaceState(null, "", `?${next}${location.hash}`);
	if (state.compare)
		show();
}

byId("only-changes").checked = filter.changes;
byId("only-failures").checked = filter.failures;
byId("test-name").value = filter.name;
for (const name of ["only-changes", "only-failures"])
	byId(name).addEventListener("change", filters);
byId("test-name").addEventListener("input", filters);
byId("fold-all").addEventListener("click", (event) => {
	const open = event.currentTarget.getAttribute("aria-pressed") !== "true";

	event.currentTarget.setAttribute("aria-pressed", String(open));
	for (const one of state.compare?.classes ?? []) {
		for (const row of one.rows)
			unfolded.set(`${one.cache}/${one.kind}/${row.test}`, open ? "all" : "none");
	}
	if (state.compare)
		show();
});

// --- the evidence panel: #result=ID

function mark(id) {
	for (const old of document.querySelectorAll("a.result[aria-current]"))
		old.removeAttribute("aria-current");
	const anchor = id ? document.querySelector(`[data-key="result-${CSS.escape(id)}"]`) : null;
	anchor?.setAttribute("aria-current", "true");
	return anchor;
}

async function openPanel(id) {
	const panel = byId("panel");
	const anchor = mark(id);

	if (state.shown === id)
		return;
	state.shown = id;
	if (panel.hidden)
		state.opener = anchor;
	panel.hidden = false;
	document.body.classList.add("with-panel");
	fill(byId("panel-title"), `Result ${id}`);
	fill(byId("panel-body"), h("p", {class: "dim"}, "Loading …"));
	try {
		const loaded = await loadResult(id);
		if (state.shown !== id)
			return;
		fill(byId("panel-title"), h("span", {class: "mono"}, loaded.result.test));
		fill(byId("panel-body"), evidence(loaded, state.compare.labels));
	} catch (error) {
		if (state.shown === id)
			fill(byId("panel-body"), errorBox(error, () => {
				state.shown = null;
				openPanel(id);
			}));
	}
	byId("panel").scrollTop = 0;
	byId("panel-title").focus({preventScroll: true});
}

function closePanel() {
	if (byId("panel").hidden)
		return;
	const back = mark(state.shown) ?? state.opener;

	byId("panel").hidden = true;
	document.body.classList.remove("with-panel");
	state.shown = null;
	mark(null);
	back?.focus();
}

// What the address asks for. Called again after each load: the rows are there then.
function route() {
	const asked = /^#result=(\d{1,18})$/.exec(location.hash);

	if (asked)
		openPanel(asked[1]);
	else
		closePanel();
}

function dismiss() {
	history.pushState(null, "", location.pathname + location.search);
	closePanel();
}

byId("panel-close").addEventListener("click", dismiss);
document.addEventListener("keydown", (event) => event.key === "Escape" && !byId("panel").hidden && dismiss());
window.addEventListener("hashchange", () => state.compare && route());

if (query.job || query.builds) {
	refresh();
	if (query.job)
		state.stream = live({path: "/events", query: {job: query.job}, onopen: (resumed) => resumed || refresh(),
			onevent: (event) => ["job", "run", "result"].includes(event.kind) && refresh()});
} else {
	fill(byId("problem"), h("p", null, "Nothing named to compare: ", h("code", null, page("compare.html", {job: "N"})), " or ", h("code", null, "compare.html?builds=BASE,NEXT"),
		", or choose a job on the ", link("index.html", null, "home page"), "."));
}
