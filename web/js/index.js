// index.js - the home page: boards, running jobs, recent jobs. Any event that changes one of them loads that part anew.
import {list, errorBox} from "./api.js";
import {byId, fill, h, link, scroller, syncRows, table, text, time, setTitle} from "./dom.js";
import {count} from "./format.js";
import {live, throttled} from "./live.js";
import {badge, jobLink, kindLabel, progress, runLink, tally, stage} from "./parts.js";

const RECENT = 20;
const shown = {jobs: RECENT};

const rows = (id) => h("tbody", {id});

function build() {
	fill(byId("boards"), scroller("Boards", table("Boards", ["Board", "Cache class", "Kind", "State", "Now"], rows("board-rows"))));
	fill(byId("running"), scroller("Running jobs", table("Running jobs", ["Job", "State", "Progress", "Results so far", "Since"], rows("running-rows"))));
	fill(byId("recent"), scroller("Recent jobs", table("Recent jobs", ["Job", "State", "Results", "Ended", ""], rows("recent-rows"))));
}

function boardRow({board, run}) {
	return h("tr", null,
		h("th", {scope: "row"}, link("board.html", {name: board.name}, board.name), board.description ? h("div", {class: "dim small wrap"}, text(board.description, 120)) : null),
		h("td", {class: "mono"}, board.cache),
		h("td", null, kindLabel(board.kind)),
		h("td", null, badge(board.state), board.disabled_reason ?? board.state_detail ?
			h("div", {class: "small wrap"}, text(board.disabled_reason ?? board.state_detail, 240)) : null),
		h("td", null, board.current_run ? [runLink(board.current_run), run ? h("div", {class: "small"}, stage(run)) : null] : h("span", {class: "dim"}, "–")));
}

function jobName(job) {
	return [jobLink(job.id), " ", h("span", {class: "wrap"}, text(job.name, 120))];
}

function runningRow(job) {
	return h("tr", null, h("th", {scope: "row"}, jobName(job)), h("td", null, badge(job.state)),
		h("td", null, progress(`results of job ${job.id}`, job.arrived, job.planned)), h("td", null, tally(job.verdicts)), h("td", {"data-label": "since"}, time(job.created)));
}

function recentRow(job) {
	return h("tr", null, h("th", {scope: "row"}, jobName(job)),
		h("td", null, badge(job.state), job.state === "done" && !job.complete ? [" ", badge("incomplete")] : null),
		h("td", null, tally(job.verdicts)), h("td", {"data-label": "ended"}, time(job.ended)), h("td", null, link("compare.html", {job: job.id}, "compare")));
}

const open = (job) => job.state === "queued" || job.state === "running";

async function loadBoards() {
	const [boards, runs] = await Promise.all([list("/boards"), list("/runs", {state: "running"})]);
	const byRun = new Map(runs.map((run) => [run.id, {state: run.state, stage: run.stage, current_test: run.current_test}]));

	syncRows(byId("board-rows"), boards.map((board) => ({
		board: {...board, facts: null, updated: null, last_seen: null}, run: byRun.get(board.current_run),
	})), (row) => row.board.name, boardRow);
	byId("boards").hidden = boards.length === 0;
	byId("no-boards").hidden = boards.length > 0;
	const idle = boards.filter((board) => board.state === "idle").length;
	const busy = boards.filter((board) => board.state === "busy").length;
	fill(byId("board-count"), `${count(boards.length)}: ${count(idle)} idle, ${count(busy)} busy, ${count(boards.length - idle - busy)} not available`);
}

async function loadJobs() {
	const [running, queued, recent] = await Promise.all([list("/jobs", {state: "running"}), list("/jobs", {state: "queued"}, 100),
		list("/jobs", null, shown.jobs)]);
	const ended = recent.filter((job) => !open(job));
	const going = [...running, ...queued];

	syncRows(byId("running-rows"), going, (job) => job.id, runningRow);
	byId("running").hidden = going.length === 0;
	byId("no-running").hidden = going.length > 0;
	syncRows(byId("recent-rows"), ended, (job) => job.id, recentRow);
	byId("recent").hidden = ended.length === 0;
	byId("no-recent").hidden = ended.length > 0;
	byId("older").hidden = recent.length < shown.jobs;
	setTitle(going.length ? `${going.length} running` : null);
}

function guarded(work) {
	return async () => {
		try {
			await work();
			fill(byId("problem"));
		} catch (error) {
			fill(byId("problem"), errorBox(error, refreshAll));
		}
	};
}

const refreshBoards = throttled(700, guarded(loadBoards));
const refreshJobs = throttled(1000, guarded(loadJobs));

function refreshAll() {
	refreshBoards();
	refreshJobs();
}

build();
byId("older").addEventListener("click", () => {
	shown.jobs = Math.min(500, shown.jobs + 50);
	refreshJobs();
});
refreshAll();
live({
	path: "/events",
	onopen: (resumed) => resumed || refreshAll(),
	onevent(event) {
		if (event.kind === "board" || event.kind === "run" || event.kind === "test")
			refreshBoards();
		if (event.kind === "job" || event.kind === "result" || event.kind === "run")
			refreshJobs();
	},
});
