// run.js - one run: what it did, its attempts, its log, its events.
import {get, list, errorBox} from "./api.js";
import {byId, facts, fill, h, link, page, scroller, setTitle, syncRows, table, text, time} from "./dom.js";
import {bytes, duration, elapsedMs, plural} from "./format.js";
import {live, throttled} from "./live.js";
import {LogView} from "./log.js";
import {badOf, badge, boardFacts, boardLink, fault, idFromAddress, jobLink, kindLabel, progress, stage, tally} from "./parts.js";

const EVENTS_MAX = 500;
const RESULTS_MAX = 400;

const id = idFromAddress();
const path = `/runs/${encodeURIComponent(id)}`;
const state = {run: null, attempts: [], stream: null, log: null, events: [], fresh: [], attempt: Number(idFromAddress("attempt")) || null, source: idFromAddress("source") === "console" ? "console" : "run"};

const open = (run) => run.state === "queued" || run.state === "running";

function head(run) {
	setTitle(open(run) && run.planned ? `${run.arrived}/${run.planned}` : run.state, `run ${run.id}`);
	fill(byId("title"), `Run ${run.id}: `, text(run.build.name, 200), " on ", run.board ?? run.cache);
	fill(byId("state"), badge(run.state), " ", progress(`results of run ${run.id}`, run.arrived, run.planned), " ", tally(run.verdicts), " ", stage(run),
		fault(run.fault));
	fill(byId("facts"), facts([
		["Job", jobLink(run.job)], ["Build", [run.build.name, run.build.release ? h("div", {class: "mono small"}, run.build.release) : null]],
		["Cache class", h("span", {class: "mono"}, run.cache)], ["Kind", kindLabel(run.kind)], ["Board", boardLink(run.board)],
		["Attempt", `${run.attempt} of at most ${run.max_attempts}`],
		["Queued", time(run.created)], ["Started", run.started ? time(run.started) : null], ["Ended", run.ended ? time(run.ended) : null],
		["Took", run.started ? duration(elapsedMs(run.started, run.ended) * 1000) : null],
		["Results", [link("compare.html", {job: run.job}, "in the comparison")]],
	]));
	fill(byId("board-facts"), boardFacts(run.facts, "None yet: they come when the kernel has proved itself."));
	fill(byId("tests"), h("span", {class: "mono wrap"}, (run.tests ?? []).join(" ")));
}

function attemptRow(one) {
	return h("tr", null, h("th", {scope: "row", class: "num", "data-label": "attempt"}, String(one.attempt)), h("td", null, boardLink(one.board)),
		h("td", null, one.outcome === "complete" ? badge("done", "complete") : one.outcome === "fault" ? badge("failed", "farm fault") : one.outcome ? badge("cancelled", one.outcome) : badge("running", one.stage ?? one.state)),
		h("td", null, time(one.started), one.ended ? h("div", {class: "small dim"}, duration(elapsedMs(one.started, one.ended) * 1000)) : null),
		h("td", null, fault(one.fault) ?? h("span", {class: "dim"}, "none")),
		h("td", {class: "num dim"}, `fence ${one.fence}, ${bytes(one.offset)}`));
}

function resultRow(one) {
	return h("tr", null,
		h("th", {scope: "row"}, h("a", {href: `${page("compare.html", {job: one.job})}#result=${one.id}`, class: "mono"}, one.test), one.rep > 1 ? h("span", {class: "dim"}, ` repetition ${one.rep}`) : null,
			one.test_kind === "contract" ? null : [" ", h("span", {class: "kind"}, one.test_kind)]),
		h("td", null, badge(one.verdict), one.reason ? [" ", h("code", null, one.reason)] : null),
		h("td", {class: "num", "data-label": "bad"}, badOf(one)), h("td", {class: "num"}, duration(one.duration_us)),
		h("td", {class: "wrap small"}, one.class ? [h("strong", null, one.class), " "] : null, one.detail ? text(one.detail, 300) : null));
}

// The tests' own results, in the order they came; their cells are in the comparison.
function showResults(all) {
	const results = all.filter((one) => one.cell === null).sort((a, b) => a.id - b.id);

	syncRows(byId("result-rows"), results.slice(0, RESULTS_MAX), (one) => one.id, resultRow);
	byId("results").hidden = results.length === 0;
	fill(byId("no-results"), results.length === 0 ? "None yet." : results.length > RESULTS_MAX ? `${plural(results.length - RESULTS_MAX, "more result")} left out.` : null);
}

// --- the log

function option(name, label, on, choose) {
	return h("button", {type: "button", "aria-pressed": String(on), "data-key": name, onclick: choose}, label);
}

function logChoice() {
	const attempts = state.attempts.map((one) => one.attempt);
	const pick = (change) => () => {
		Object.assign(state, change);
		openLog();
	};

	fill(byId("log-choice"), [["run", "Run log"], ["console", "Console"]].map(([source, label]) => option(source, label, state.source === source, pick({source}))),
		attempts.length > 1 ? attempts.map((attempt) => option(`attempt-${attempt}`, `Attempt ${attempt}`, state.attempt === attempt, pick({attempt}))) : null);
}

function openLog() {
	const attempt = state.attempt ?? state.run.attempt;

	state.log?.close();
	state.attempt = attempt || null;
	logChoice();
	if (!attempt) {
		fill(byId("log"), h("p", {class: "dim"}, "No attempt has begun."));
		return;
	}
	state.log = new LogView(byId("log"), `${path}/log`, {attempt, source: state.source});
	state.log.open(() => open(state.run) && attempt === state.run.attempt);
}

// --- events

function eventText(event) {
	switch (event.kind) {
	case "run":
		return [badge(event.state), " ", event.stage ?? "", event.board ? [" on ", boardLink(event.board)] : null, event.attempt ? `, attempt ${event.attempt}` : null, fault(event.fault)];
	case "result":
		return [badge(event.verdict), " ", link("compare.html", {job: event.job, test: event.test}, h("span", {class: "mono"}, event.test)), event.reason ? [" ", h("code", null, event.reason)] : null, event.detail ? h("div", {class: "small wrap"}, event.detail) : null];
	case "test":
		return ["began ", h("span", {class: "mono"}, event.test), event.rep > 1 ? ` (repetition ${event.rep})` : null];
	case "progress":
		return `${event.stage}: ${event.what ?? ""} ${bytes(event.done)} of ${bytes(event.total)}`;
	case "warning":
		return [h("span", {class: "badge warn"}, `kernel: ${event.warning ?? "warning"}`), h("pre", {class: "log"}, String(event.text ?? "").slice(0, 8192))];
	case "board":
		return [boardLink(event.board), " ", badge(event.state), " ", event.detail ?? ""];
	case "note":
		return h("span", {class: "wrap"}, event.text);
	default:
		return event.text ?? "";
	}
}

function eventRow(event) {
	return h("tr", null, h("td", {class: "num"}, time(event.time)), h("td", null, event.kind), h("td", null, eventText(event)));
}

// Only the newest of each file's progress is of interest, and at most EVENTS_MAX rows.
function addEvents(events) {
	for (const event of events) {
		const last = state.events.at(-1);
		if (last && event.id <= last.id)
			continue;
		if (event.kind === "progress" && last?.kind === "progress" && last.what === event.what)
			state.events.pop();
		state.events.push(event);
	}
	const dropped = state.events.length - EVENTS_MAX;
	if (dropped > 0) {
		state.events.splice(0, dropped);
		state.dropped = (state.dropped ?? 0) + dropped;
	}
	fill(byId("events-note"), state.dropped ? `${plural(state.dropped, "older event")} left out.` : null);
	syncRows(byId("event-rows"), state.events, (event) => event.id, eventRow);
}

// --- the page

async function load() {
	try {
		const [run, attempts, results] = await Promise.all([get(path), get(`${path}/attempts`).then((reply) => reply.items), list("/results", {run: id, cell: ""}, RESULTS_MAX + 100)]);
		const was = state.run;
		state.run = run;
		state.attempts = attempts.sort((a, b) => a.attempt - b.attempt);
		head(run);
		showResults(results);
		syncRows(byId("attempt-rows"), state.attempts, (one) => one.attempt, attemptRow);
		byId("attempts").hidden = attempts.length === 0;
		byId("no-attempts").hidden = attempts.length > 0;
		byId("content").hidden = false;
		fill(byId("problem"));
		if (!was || (was.attempt !== run.attempt && (state.attempt ?? was.attempt) === was.attempt)) {
			state.attempt = was ? run.attempt : state.attempt;
			openLog();
		} else {
			logChoice();
		}
		if (!open(run)) {
			state.log?.finish();
			state.stream?.stop(`not live: the run is ${run.state}`);
		}
	} catch (error) {
		fill(byId("problem"), errorBox(error, refresh));
	}
}

const refresh = throttled(1000, load);

// What happened so far, page by page; returns the id to go on from.
async function knownEvents() {
	let last = 0;

	for (let part = 0; part < 40; part++) {
		const {items} = await get(`${path}/events`, {after: last, limit: 500});
		addEvents(items);
		last = items.at(-1)?.id ?? last;
		if (items.length < 500)
			break;
	}
	return last;
}

// Many events may come at once: their rows are made together.
const showFresh = throttled(100, () => addEvents(state.fresh.splice(0)));

async function begin() {
	refresh();
	const last = await knownEvents().catch(() => 0);
	state.stream = live({path: `${path}/events`, after: last, onopen: refresh, onevent(event) {
		state.fresh.push(event);
		showFresh();
		if (event.kind === "test" && state.run) {
			state.run.current_test = event.test;
			head(state.run);
		} else if (event.kind !== "progress") {
			refresh();
		}
	}});
}

fill(byId("attempts"), scroller("Attempts", table("Attempts", ["Attempt", "Board", "Outcome", "Time", "Fault", "Journal"], h("tbody", {id: "attempt-rows"}))));
fill(byId("results"), scroller("Results", table("Results", ["Test", "Verdict", "Bad", "Time", "Detail"], h("tbody", {id: "result-rows"}))));
fill(byId("events"), scroller("Events", table("Events", ["Time", "Kind", "What"], h("tbody", {id: "event-rows"}))));
if (id)
	begin();
else
	fill(byId("problem"), h("p", null, "No run named: add ?id=N to the address, or choose one on the ", link("index.html", null, "home page"), "."));
