// schedules.js - what is submitted by the clock: the next five instants of each schedule, what became of the last and why, and
// what went out. Events of schedules and jobs load it anew.
import {errorBox, get, list} from "./api.js";
import {byId, facts, fill, h, scroller, syncRows, table, text, time, setTitle} from "./dom.js";
import {count, plural} from "./format.js";
import {live, throttled} from "./live.js";
import {badge, jobLink} from "./parts.js";

const SHOWN = 12;

function windowText(schedule) {
	const s = schedule.window_s;

	if (!s)
		return "no end";
	return s % 3600 === 0 ? plural(s / 3600, "hour") : plural(Math.round(s / 60), "minute");
}

function runRow(run) {
	return h("tr", null,
		h("th", {scope: "row"}, h("time", {datetime: run.instant, title: run.instant}, run.local),
			run.count > 1 ? h("div", {class: "small dim"}, `and ${count(run.count - 1)} before it`) : null),
		h("td", null, badge(run.outcome)),
		h("td", null, run.job ? jobLink(run.job) : h("span", {class: "dim"}, "–")),
		h("td", {class: "wrap"}, run.why ? text(run.why, 400) : h("span", {class: "dim"}, "–")));
}

function section(schedule, runs) {
	const id = `schedule-${schedule.id}`;

	return h("section", {"aria-labelledby": id},
		h("h2", {id}, text(schedule.name, 80), schedule.disabled_reason ? [" ", badge("disabled")] : null),
		facts([
			["When", h("span", {class: "mono"}, `${schedule.cron} ${schedule.zone}`)],
			["Disabled", schedule.disabled_reason ? text(schedule.disabled_reason, 400) : null],
			["Next", schedule.next.length ? h("ol", {class: "plain"}, schedule.next.map((next) =>
				h("li", null, h("time", {datetime: next.at, title: next.at}, next.local)))) : null],
			["May start for", windowText(schedule)],
			["When one still runs", schedule.overlap],
			["After downtime", schedule.catch_up === "once" ? "run once, late" : "skip"],
			["In the mail", schedule.report ? "yes" : "no"],
		]),
		runs.length ? scroller(`Instants of ${schedule.name}`, table("What became of its instants", ["Instant", "Outcome", "Job", "Why"],
			h("tbody", null, runs.map(runRow)))) : h("p", {class: "dim"}, "None of its instants has come yet."));
}

function deliveryRow(delivery) {
	return h("tr", null,
		h("th", {scope: "row"}, text(delivery.subject, 160), h("div", {class: "small dim wrap"}, text(delivery.target, 200))),
		h("td", null, delivery.kind),
		h("td", null, badge(delivery.state), delivery.doubt ? h("div", {class: "small"}, `${plural(delivery.doubt, "answer")} lost`) : null),
		h("td", null, count(delivery.tries)),
		h("td", null, delivery.ended ? time(delivery.ended) : ["next try ", time(delivery.next_try)]),
		h("td", {class: "wrap small"}, text(delivery.detail, 300)));
}

async function load() {
	const [schedules, out] = await Promise.all([list("/schedules"), get("/deliveries", {limit: SHOWN})]);
	const runs = await Promise.all(schedules.map((schedule) => get(`/schedules/${encodeURIComponent(schedule.name)}/runs`, {limit: SHOWN})));

	syncRows(byId("schedules"), schedules.map((schedule, i) => ({schedule, runs: runs[i].items})), ({schedule}) => schedule.id,
		({schedule, runs: items}) => section(schedule, items));
	byId("none").hidden = schedules.length > 0;
	if (!byId("delivery-rows"))
		fill(byId("deliveries"), scroller("Mails and webhooks", table("Mails and webhooks", ["What", "Kind", "State", "Tries", "When", "Answer"],
			h("tbody", {id: "delivery-rows"}))));
	syncRows(byId("delivery-rows"), out.items, (delivery) => delivery.id, deliveryRow);
	byId("deliveries").hidden = out.items.length === 0;
	byId("no-deliveries").hidden = out.items.length > 0;
	byId("content").hidden = false;
	setTitle("Schedules");
}

const refresh = throttled(1000, async () => {
	try {
		await load();
		fill(byId("problem"));
	} catch (error) {
		fill(byId("problem"), errorBox(error, refresh));
	}
});

refresh();
live({
	path: "/events",
	onopen: (resumed) => resumed || refresh(),
	onevent(event) {
		if (event.kind === "schedule" || event.kind === "job")
			refresh();
	},
});
