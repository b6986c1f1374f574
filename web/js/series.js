// series.js - patch series: all of them, or with ?name= one with its revisions, what changed between them, its builds and
// studies.
import {get, list, request, errorBox} from "./api.js";
import {byId, facts, fill, h, link, scroller, setTitle, syncRows, table, time} from "./dom.js";
import {count} from "./format.js";
import {live, throttled} from "./live.js";
import {badge, idFromAddress, jobLink, tally} from "./parts.js";

const name = idFromAddress("name");
const path = `/series/${encodeURIComponent(name)}`;
const DIFF_MAX = 200000; // characters: the whole is one click away as a file of the API
const RANGES_MAX = 20;
const shown = {from: null, to: null, diff: null};

const mono = (value) => (value === null || value === undefined || value === "" ? null : h("span", {class: "mono wrap"}, String(value)));
const rows = (id) => h("tbody", {id});

// --- all ---

function seriesRow(series) {
	return h("tr", null, h("th", {scope: "row"}, link("series.html", {name: series.name}, series.name)), h("td", {class: "wrap"}, series.title),
		h("td", {class: "wrap"}, series.author), h("td", null, series.revisions.map((one) => one.label).join(" ")), h("td", {"data-label": "since"}, time(series.created)));
}

// What builders were asked for, and why it is no revision where it is none.
function rangeRow(range) {
	const became = range.revision ? link("series.html", {name: range.series}, `${range.series} v${range.version}`) : range.series;

	return h("tr", null, h("th", {scope: "row", class: "wrap"}, range.range), h("td", null, range.tree), h("td", null, badge(range.state)),
		h("td", null, became), h("td", null, range.detail ? h("pre", {class: "wrap"}, range.detail) : null), h("td", {"data-label": "asked"}, time(range.created)));
}

async function loadAll() {
	const [series, ranges] = await Promise.all([list("/series"), list("/ranges", {}, RANGES_MAX)]);

	syncRows(byId("range-rows"), ranges, (one) => one.id, rangeRow);
	byId("asked").hidden = ranges.length === 0;
	syncRows(byId("series-rows"), series, (one) => one.name, seriesRow);
	byId("series").hidden = series.length === 0;
	byId("no-series").hidden = series.length > 0;
	byId("all").hidden = false;
	setTitle("series");
}

// --- one ---

function revisionRow(one) {
	return h("tr", null, h("th", {scope: "row"}, one.label), h("td", {class: "wrap"}, one.title), h("td", {class: "num"}, count(one.patches.length)),
		h("td", null, mono(one.message_id)), h("td", null, mono(one.base_commit?.slice(0, 40))), h("td", {"data-label": "sent"}, time(one.date)),
		h("td", null, h("a", {href: `/api/v1${path}/revisions/${one.version}/mbox`}, "mails")));
}

function patchList(revision) {
	return h("details", {open: revision.patches.length <= 4}, h("summary", null, `${revision.label}: ${count(revision.patches.length)} patches`),
		h("ol", null, revision.patches.map((patch) => h("li", {class: "wrap"}, patch.subject, " ", h("span", {class: "dim small"}, patch.author)))));
}

function buildRow(build) {
	const failure = build.failure ? [build.failure.step, build.failure.text].filter(Boolean).join(": ") : null;

	return h("tr", null, h("th", {scope: "row", class: "wrap"}, build.name), h("td", null, badge(build.state)), h("td", null, mono(build.release)),
		h("td", null, failure ? h("pre", {class: "wrap"}, failure) : null), h("td", {"data-label": "made"}, time(build.created)));
}

function jobRow(job) {
	return h("tr", null, h("th", {scope: "row"}, jobLink(job.id), " ", h("span", {class: "wrap"}, job.name)), h("td", null, badge(job.state)),
		h("td", null, tally(job.verdicts)), h("td", {"data-label": "ended"}, time(job.ended)), h("td", null, link("compare.html", {job: job.id}, "compare")));
}

function choice(id, label, revisions, chosen) {
	return h("label", null, label, " ", h("select", {id, "data-key": id, onchange: chooseDiff},
		revisions.map((one) => option(one, String(one.version) === String(chosen)))));
}

function option(revision, selected) {
	const element = h("option", {value: String(revision.version)}, revision.label);

	element.selected = selected;
	return element;
}

function lineClass(line) {
	if (/^\s*(?:\d+|-):\s+\S+\s+[=!<>]/.test(line))
		return "head"; // "-:  ------- > 3:  …" is one, too, and nothing that was taken away
	return {"+": "plus", "-": "minus", "@": "hunk"}[line.trim()[0]] ?? null;
}

async function loadDiff() {
	const key = `${shown.from}..${shown.to}`;

	if (shown.diff === key || shown.from === null || shown.from === shown.to)
		return;
	const response = await request(`${path}/diff`, {from: shown.from, to: shown.to});
	const diff = (await response.text()).slice(0, DIFF_MAX);
	shown.diff = key;
	fill(byId("diff"), diff.split("\n").map((line) => h("span", {class: lineClass(line)}, line, "\n")));
}

function chooseDiff() {
	shown.from = byId("diff-from").value;
	shown.to = byId("diff-to").value;
	loadDiff().catch((error) => fill(byId("problem"), errorBox(error, refresh)));
}

function showDiffChoice(revisions) {
	const enough = revisions.length > 1;

	shown.to ??= enough ? revisions.at(-1).version : null;
	shown.from ??= enough ? revisions.at(-2).version : null;
	byId("diff").hidden = !enough;
	fill(byId("diff-choice"), enough ? [choice("diff-from", "from", revisions, shown.from), " ", choice("diff-to", "to", revisions, shown.to)] :
		h("span", {class: "dim"}, "There is one revision only."));
}

async function loadOne() {
	const series = await get(path);
	const details = await Promise.all(series.revisions.map((one) => get(`${path}/revisions/${one.version}`)));
	const jobs = [...new Map(details.flatMap((one) => one.jobs ?? []).map((job) => [job.id, job])).values()].sort((a, b) => b.id - a.id);
	const builds = details.flatMap((one) => one.builds ?? []);

	setTitle(`series ${series.name}`);
	fill(byId("title"), series.title);
	fill(byId("facts"), facts([["Name", mono(series.name)], ["Author", series.author], ["change-id", mono(series.change_id)], ["First seen", time(series.created)]]));
	syncRows(byId("revision-rows"), series.revisions, (one) => one.version, revisionRow);
	fill(byId("patches"), series.revisions.map(patchList));
	showDiffChoice(series.revisions);
	syncRows(byId("job-rows"), jobs, (job) => job.id, jobRow);
	syncRows(byId("build-rows"), builds, (build) => build.id, buildRow);
	for (const [what, items] of [["jobs", jobs], ["builds", builds]]) {
		byId(what).hidden = items.length === 0;
		byId(`no-${what}`).hidden = items.length > 0;
	}
	byId("one").hidden = false;
	await loadDiff();
}

async function load() {
	try {
		await (name ? loadOne() : loadAll());
		byId("content").hidden = false;
		fill(byId("problem"));
	} catch (error) {
		fill(byId("problem"), errorBox(error, refresh));
	}
}

const refresh = throttled(1000, load);

fill(byId("series"), scroller("Series", table("Series", ["Series", "Title", "Author", "Revisions", "Since"], rows("series-rows"))));
fill(byId("ranges"), scroller("Ranges", table("Ranges", ["Range", "Tree", "State", "Revision", "Why not", "Asked"], rows("range-rows"))));
fill(byId("revisions"), scroller("Revisions", table("Revisions", ["Revision", "Title", "Patches", "Message-ID", "Base", "Sent", ""], rows("revision-rows"))));
fill(byId("jobs"), scroller("Studies", table("Studies", ["Job", "State", "Results", "Ended", ""], rows("job-rows"))));
fill(byId("builds"), scroller("Builds", table("Builds", ["Build", "State", "Release", "Why not", "Made"], rows("build-rows"))));
refresh();
live({path: "/events", onopen: (resumed) => resumed || refresh(), onevent(event) {
	if (["job", "run", "range", "series"].includes(event.kind))
		refresh();
}});
