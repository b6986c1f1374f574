// board.js - one board: its facts, its state, its latest runs.
import {get, list, errorBox} from "./api.js";
import {byId, facts, fill, h, link, scroller, setTitle, syncRows, table, time} from "./dom.js";
import {duration, elapsedMs} from "./format.js";
import {live, throttled} from "./live.js";
import {badge, boardFacts, fault, idFromAddress, jobLink, kindLabel, runLink, stage, tally} from "./parts.js";

const name = idFromAddress("name");
const path = `/boards/${encodeURIComponent(name)}`;
const RUNS = 50;

const mono = (value) => (value === null || value === undefined || value === "" ? null : h("span", {class: "mono wrap"}, String(value)));

function show(board) {
	setTitle(board.state, `board ${board.name}`);
	fill(byId("title"), "Board ", board.name);
	fill(byId("state"), badge(board.state), " ", board.disabled_reason ? ["disabled: ", board.disabled_reason] : board.state_detail,
		board.current_run ? [" ", runLink(board.current_run)] : null);
	fill(byId("facts"), facts([
		["Cache class", mono(board.cache)], ["Kind", kindLabel(board.kind)], ["Architecture", mono(board.arch)], ["Description", board.description], ["Tags", (board.tags ?? []).join(" ")],
		["SSH", board.ssh ? mono(`${board.ssh.user}@${board.ssh.host}:${board.ssh.port}`) : null], ["Pinned host key", mono(board.ssh?.host_key)],
		["Boot method", mono(board.boot?.method)], ["Configured by", board.origin === "file" ? "a board file" : "the API"], ["Last seen", board.last_seen ? time(board.last_seen) : "never"], ["Changed", time(board.updated)],
	]));
	fill(byId("board-facts"), boardFacts(board.facts, "None yet: they come with the first kernel that proved itself here."));
}

function runRow(run) {
	return h("tr", null, h("th", {scope: "row"}, runLink(run.id)), h("td", null, jobLink(run.job)), h("td", {class: "wrap"}, run.build.name),
		h("td", null, badge(run.state), h("div", {class: "small"}, stage(run))), h("td", null, tally(run.verdicts), fault(run.fault)),
		h("td", null, time(run.started), run.started && run.ended ? h("div", {class: "small dim"}, duration(elapsedMs(run.started, run.ended) * 1000)) : null));
}

async function load() {
	try {
		const [board, runs] = await Promise.all([get(path), list("/runs", {board: name}, RUNS)]);
		show(board);
		syncRows(byId("run-rows"), runs, (run) => run.id, runRow);
		byId("runs").hidden = runs.length === 0;
		byId("no-runs").hidden = runs.length > 0;
		byId("content").hidden = false;
		fill(byId("problem"));
	} catch (error) {
		fill(byId("problem"), errorBox(error, refresh));
	}
}

const refresh = throttled(1000, load);

fill(byId("runs"), scroller("Runs", table("Runs", ["Run", "Job", "Build", "State", "Results", "Started"], h("tbody", {id: "run-rows"}))));
if (name) {
	refresh();
	live({path: "/events", onopen: (resumed) => resumed || refresh(), onevent(event) {
		if (event.board === name && event.kind !== "progress" && event.kind !== "note")
			refresh();
	}});
} else {
	fill(byId("problem"), h("p", null, "No board named: add ?name=NAME to the address, or choose one on the ", link("index.html", null, "home page"), "."));
}
