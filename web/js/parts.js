// parts.js - pieces that several pages show the same way.
import {facts, h, link} from "./dom.js";
import {count, clean} from "./format.js";
import {SYMBOL, TONE, VERDICTS, FAULT, STAGE, KIND} from "./words.js";

// A state or verdict: symbol, word and colour, never colour alone.
export function badge(word, label = word) {
	const symbol = SYMBOL[word];

	return h("span", {class: `badge ${TONE[word] ?? "quiet"}`},
		symbol ? h("span", {"aria-hidden": "true"}, symbol, " ") : null, label);
}

export function tally(verdicts) {
	const shown = VERDICTS.filter((verdict) => verdicts?.[verdict] > 0);

	if (shown.length === 0)
		return h("span", {class: "dim"}, "no results");
	return h("span", {class: "tally"}, shown.map((verdict) =>
		h("span", {class: `badge ${TONE[verdict] ?? "quiet"}`}, h("span", {"aria-hidden": "true"}, SYMBOL[verdict]),
			` ${count(verdicts[verdict])} ${verdict}`)));
}

// How much has arrived of what was planned.
export function progress(label, arrived, planned) {
	return h("span", {class: "progress"},
		h("progress", {max: String(Math.max(1, planned || 0)), value: String(Math.min(arrived || 0, planned || 0)), "aria-label": clean(label)}),
		h("span", {class: "num"}, `${count(arrived)}/${count(planned)}`));
}

export function kindLabel(kind) {
	return h("span", {class: `kind ${["qemu", "emulated", "physical", "host"].includes(kind) ? kind : ""}`, title: KIND[kind]}, kind);
}

export function boardLink(name) {
	return name ? link("board.html", {name}, name) : h("span", {class: "dim"}, "–");
}

export function jobLink(job, ...children) {
	return link("job.html", {id: job}, children.length ? children : `job ${job}`);
}

export function runLink(run, ...children) {
	return link("run.html", {id: run}, children.length ? children : `run ${run}`);
}

// A farm fault: what it means, then the farm's own text.
export function fault(one) {
	if (!one)
		return null;
	return h("div", {class: "fault"},
		h("span", {class: "badge warn"}, h("span", {"aria-hidden": "true"}, "! "), "farm fault ", one.code),
		FAULT[one.code] ? ` ${FAULT[one.code]}` : null, one.stage ? ` (stage ${one.stage})` : null,
		one.detail ? h("div", {class: "mono wrap"}, one.detail) : null);
}

export function stage(run) {
	if (run.state === "queued" && run.stage === "build")
		return STAGE.build;
	if (run.state !== "running")
		return null;
	return [STAGE[run.stage] ?? run.stage ?? "starting", run.current_test ? [": ", h("span", {class: "mono"}, run.current_test)] : null];
}

// A fact that a board told, of whatever shape, as text; null when there is none.
function factText(value) {
	if (value === null || value === undefined || value === "")
		return null;
	if (typeof value !== "object")
		return String(value);
	return Object.entries(value).filter(([, inner]) => inner !== null).slice(0, 30)
		.map(([key, inner]) => `${key} ${typeof inner === "object" ? JSON.stringify(inner) : inner}`).join(", ") || null;
}

// The facts that a board told, in the board's words; missing: what to say when there are none.
export function boardFacts(given, missing) {
	const pairs = given && typeof given === "object" ? Object.entries(given).slice(0, 60).map(([key, value]) => [key, factText(value)]) : [];

	if (pairs.length === 0)
		return h("p", {class: "dim"}, missing);
	return facts(pairs.map(([key, value]) => [key, value === null ? null : h("span", {class: "mono wrap"}, value)]));
}

// Trials that went wrong of all; a test without trials has no such number.
export function badOf(result) {
	return result.trials > 0 ? `${count(result.bad)}/${count(result.trials)}` : "–";
}

// What the page is about: ?id= or ?name=.
export function idFromAddress(name = "id") {
	return new URLSearchParams(location.search).get(name);
}
