// job.js - one job, live: progress, the matrix filling up, the runs.
import {get, errorBox} from "./api.js";
import {byId, facts, fill, h, link, page, scroller, setTitle, syncRows, table, text, time} from "./dom.js";
import {duration, elapsedMs, plural} from "./format.js";
import {live, throttled} from "./live.js";
import {matrix} from "./matrix.js";
import {badge, boardLink, fault, idFromAddress, kindLabel, progress, runLink, stage, tally} from "./parts.js";

const id = idFromAddress();
const state = {job: null, stream: null, making: new Map()}; // making: run -> what its build run said last

const open = (job) => job.state === "queued" || job.state === "running";

function selectorText(selector) {
	const parts = Object.entries(selector ?? {}).filter(([, values]) => Array.isArray(values) && values.length > 0);

	return parts.length ? parts.map(([key, values]) => `${key}: ${values.join(", ")}`).join(" · ") : "any board";
}

function head(job) {
	setTitle(open(job) ? `${job.arrived}/${job.planned}` : job.state, `job ${job.id}`, job.name);
	fill(byId("title"), `Job ${job.id}: `, text(job.name, 300));
	fill(byId("state"), badge(job.state), job.state === "done" && !job.complete ? [" ", badge("incomplete")] : null, " ",
		progress(`results of job ${job.id}`, job.arrived, job.planned), " ", tally(job.verdicts), " ",
		link("compare.html", {job: job.id}, "Compare the builds"));
	fill(byId("facts"), facts([
		["Suite", job.suite],
		["Tests", h("span", {class: "mono wrap"}, (job.tests ?? []).join(" "))],
		["Boards", selectorText(job.selector)],
		["Repetitions", String(job.repetitions)],
		["Iterations", job.iterations ? String(job.iterations) : null],
		["Rounds", job.study ? [String(job.round), job.deciding ? ", more while something is open" : null, job.study.stopped ? `, then ${job.study.stopped}` : null] : null],
		["Priority", String(job.priority)],
		["Submitted", time(job.created)],
		["Ended", job.ended ? time(job.ended) : null],
		["Took", job.ended ? duration(elapsedMs(job.created, job.ended) * 1000) : null],
	]));
}

// Rounds are the study's, attempts are about what the farm broke.
function times(run) {
	return [
		run.round > 1 ? h("div", {class: "small"}, `round ${run.round}`) : null,
		run.attempt > 1 ? h("div", {class: "small"}, `attempt ${run.attempt} of ${run.max_attempts}`) : null,
	];
}

function runRow({run, labels}) {
	return h("tr", null,
		h("th", {scope: "row"}, runLink(run.id)),
		h("td", {class: "wrap"}, labels[run.column] ?? run.build.name),
		h("td", null, h("span", {class: "mono"}, run.cache), " ", kindLabel(run.kind)),
		h("td", null, boardLink(run.board)),
		h("td", null, badge(run.state), times(run)),
		h("td", null, progress(`results of run ${run.id}`, run.arrived, run.planned), h("div", {class: "small"}, stage(run))),
		h("td", null, tally(run.verdicts), fault(run.fault)));
}

function making(build) {
	const last = state.making.get(build.run);

	if (build.state === "failed" && build.failure)
		return h("pre", {class: "wrap"}, [build.failure.step, build.failure.text].filter(Boolean).join(": "));
	if (build.state !== "building" || !last)
		return h("span", {class: "mono"}, build.release);
	return last.total > 0 ? progress(`${last.what} of ${build.name}`, last.done, last.total) : h("span", {class: "mono"}, last.what);
}

function buildRow({build, labels}) {
	return h("tr", null,
		h("th", {scope: "row", class: "wrap"}, build.name),
		h("td", {class: "wrap"}, labels[build.column]),
		h("td", {class: "mono"}, build.cache),
		h("td", null, badge(build.state)),
		h("td", null, build.run ? runLink(build.run) : h("span", {class: "dim"}, "–")),
		h("td", null, making(build)));
}

// Kernels that came in ready-made need no table: the matrix names them.
function builds(job) {
	const made = (job.builds ?? []).filter((build) => build.run || build.state !== "complete");

	byId("kernels").hidden = made.length === 0;
	syncRows(byId("build-rows"), made.map((build) => ({build, labels: job.labels, last: state.making.get(build.run)})), (row) => `${row.build.id}.${row.build.column}`, buildRow);
}

function runs(job) {
	syncRows(byId("run-rows"), job.runs.map((run) => ({run, labels: job.labels})), (row) => row.run.id, runRow);
}

async function load() {
	try {
		const [job, compare] = await Promise.all([get(`/jobs/${encodeURIComponent(id)}`), get("/compare", {job: id})]);
		state.job = job;
		head(job);
		fill(byId("matrix"), matrix(compare, job.runs, page("compare.html", {job: job.id})));
		fill(byId("headline"), open(job) ? null : compare.headline);
		runs(job);
		builds(job);
		byId("content").hidden = false;
		fill(byId("problem"));
		announce(job);
		if (!open(job))
			state.stream?.stop(`not live: the job is ${job.state}`);
	} catch (error) {
		fill(byId("problem"), errorBox(error, refresh));
	}
}

// For screen readers: a sentence when a quarter has passed, not at every result.
function announce(job) {
	const quarter = job.planned > 0 ? Math.floor(4 * job.arrived / job.planned) : 0;
	const text = open(job) ? (quarter > 0 ? `${quarter * 25} % of the results are there` : null) :
		`Job ${job.state}, ${plural(job.arrived, "result")} of ${job.planned}`;

	fill(byId("announce"), text);
}

const refresh = throttled(1000, load);

// What changes often and costs nothing to show comes from the event itself; all else is loaded anew.
function onevent(event) {
	const run = state.job?.runs.find((one) => one.id === event.run);
	const made = state.job?.builds?.some((one) => one.run === event.run);

	if (made && (event.kind === "progress" || event.kind === "test")) {
		state.making.set(event.run, event.kind === "test" ? {what: event.test} : {what: event.what, done: event.done, total: event.total});
		builds(state.job);
		return;
	}

	if (event.kind === "test" && run) {
		run.current_test = event.test;
		runs(state.job);
		return;
	}
	if (event.kind !== "progress" && event.kind !== "note")
		refresh();
}

fill(byId("builds"), scroller("Kernels", table("Kernels", ["Kernel", "Column", "Class", "State", "Made by", "Release"], h("tbody", {id: "build-rows"}))));
fill(byId("runs"), scroller("Runs", table("Runs", ["Run", "Build", "Class", "Board", "State", "Progress", "Results"], h("tbody", {id: "run-rows"}))));
if (id) {
	refresh();
	state.stream = live({path: "/events", query: {job: id}, onopen: (resumed) => resumed || refresh(), onevent});
} else {
	fill(byId("problem"), h("p", null, "No job named: add ?id=N to the address, or choose one on the ", link("index.html", null, "home page"), "."));
}
