// job.js - one job, live: progress, the matrix filling up, the runs.
import {get, errorBox} from "./api.js";
import {byId, facts, fill, h, link, page, scroller, setTitle, syncRows, table, text, time} from "./dom.js";
import {duration, elapsedMs, plural} from "./format.js";
import {live, throttled} from "./live.js";
import {matrix} from "./matrix.js";
import {badge, boardLink, fault, idFromAddress, kindLabel, progress, runLink, stage, tally} from "./parts.js";

const id = idFromAddress();
const state = {job: null, stream: null};

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
		["Priority", String(job.priority)],
		["Submitted", time(job.created)],
		["Ended", job.ended ? time(job.ended) : null],
		["Took", job.ended ? duration(elapsedMs(job.created, job.ended) * 1000) : null],
	]));
}

function runRow({run, labels}) {
	return h("tr", null,
		h("th", {scope: "row"}, runLink(run.id)),
		h("td", {class: "wrap"}, labels[run.column] ?? run.build.name),
		h("td", null, h("span", {class: "mono"}, run.cache), " ", kindLabel(run.kind)),
		h("td", null, boardLink(run.board)),
		h("td", null, badge(run.state), run.attempt > 1 ? h("div", {class: "small"}, `attempt ${run.attempt} of ${run.max_attempts}`) : null),
		h("td", null, progress(`results of run ${run.id}`, run.arrived, run.planned), h("div", {class: "small"}, stage(run))),
		h("td", null, tally(run.verdicts), fault(run.fault)));
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

	if (event.kind === "test" && run) {
		run.current_test = event.test;
		runs(state.job);
		return;
	}
	if (event.kind !== "progress" && event.kind !== "note")
		refresh();
}

fill(byId("runs"), scroller("Runs", table("Runs", ["Run", "Build", "Class", "Board", "State", "Progress", "Results"], h("tbody", {id: "run-rows"}))));
if (id) {
	refresh();
	state.stream = live({path: "/events", query: {job: id}, onopen: (resumed) => resumed || refresh(), onevent});
} else {
	fill(byId("problem"), h("p", null, "No job named: add ?id=N to the address, or choose one on the ", link("index.html", null, "home page"), "."));
}
