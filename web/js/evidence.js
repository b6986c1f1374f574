// evidence.js - one result and what proves it: mismatch records, kernel warnings, the log around them.
import {get, list, apiUrl} from "./api.js";
import {facts, h, link, svg, text, time} from "./dom.js";
import {count, duration, plural} from "./format.js";
import {badOf, badge, boardLink, jobLink, kindLabel, runLink} from "./parts.js";
import {CELL, FAULT_CLASS, SIGNATURE, TAG, VERDICT, VIEWS, WRITER, cellDelta} from "./words.js";

const HALF_BYTES = 16;
const HALVES = 256;
const RECORDS_MAX = 32;
const PRE_MAX = 64 * 1024;
const BLOCK_XOR = 0x5ac35ac3;

// --- the cell's name in words

export function cellWords(cell) {
	return cell.split(",").map((part) => {
		const [key, value] = part.split("=", 2);
		if (key === "delta")
			return [part, cellDelta(value)];
		const words = CELL[key];
		return [part, words?.[value] ? `${words.name}: ${words[value]}` : value === undefined ? "variant of the test" : `variant ${key}`];
	});
}

function cellBox(cell) {
	if (!cell)
		return null;
	return h("section", null, h("h3", null, "State before the act"),
		h("dl", {class: "words"}, cellWords(cell).map(([part, words]) => h("div", null, h("dt", {class: "mono"}, part), h("dd", null, words)))));
}

// --- a mismatch record

// The bad half-lines of a page, from 64 hex digits with half-line 0 first: the highest bit of the first digit. null when it
// is no bitmap.
export function badHalves(bitmap) {
	if (typeof bitmap !== "string" || !/^[0-9a-f]{64}$/i.test(bitmap))
		return null;
	const bad = new Array(HALVES).fill(false);
	for (let digit = 0; digit < 64; digit++) {
		const value = parseInt(bitmap[digit], 16);
		for (let bit = 0; bit < 4; bit++)
			bad[digit * 4 + bit] = (value & (8 >> bit)) !== 0;
	}
	return bad;
}

// What the pattern of bad half-lines says by itself.
export function halvesSentence(bad) {
	const which = bad.flatMap((is, i) => (is ? [i] : []));

	if (which.length === 0)
		return "no bad half-line";
	const odd = which.filter((i) => i % 2 === 1).length;
	const all = `${plural(which.length, "bad half-line")} of ${HALVES}`;
	if (which.length === HALVES)
		return `${all}: the whole page`;
	if (which.length > 1 && odd === which.length)
		return `${all}, all odd: the second half of each 32-byte line, as a cache that allocates on reads only leaves it`;
	if (which.length > 1 && odd === 0)
		return `${all}, all even: the first half of each 32-byte line`;
	if (which.length > 1 && which.at(-1) - which[0] + 1 === which.length)
		return `${all}, in one piece`;
	return all;
}

const hex = (number, digits) => number.toString(16).padStart(digits, "0");

function halfGrid(bad) {
	const size = 12;
	const left = 34;
	const top = 14;
	const grid = svg("svg", {class: "halves", viewBox: `0 0 ${left + 16 * size + 1} ${top + 16 * size + 1}`, role: "img"},
		svg("title", null, halvesSentence(bad)));

	for (let column = 0; column < 16; column++)
		grid.append(svg("text", {x: left + column * size + size / 2, y: top - 4, "text-anchor": "middle"}, hex(column * HALF_BYTES, 2)));
	for (let row = 0; row < 16; row++)
		grid.append(svg("text", {x: left - 4, y: top + row * size + size - 3, "text-anchor": "end"}, hex(row * 256, 3)));
	bad.forEach((is, i) => {
		const x = left + (i % 16) * size;
		const y = top + Math.floor(i / 16) * size;
		grid.append(svg("rect", {x: x + 0.5, y: y + 0.5, width: size - 1, height: size - 1, class: is ? "half bad" : "half"},
			svg("title", null, `half-line ${i}, offset 0x${hex(i * HALF_BYTES, 3)}: ${is ? "bad" : "as expected"}`)));
		if (is)
			grid.append(svg("path", {d: `M${x + 3.5} ${y + 3.5}l5 5m0 -5l-5 5`, class: "cross"}));
	});
	return grid;
}

function hexBytes(value) {
	if (typeof value !== "string" || !/^([0-9a-f]{2})+$/i.test(value))
		return null;
	return value.slice(0, 512).match(/../g);
}

// Whose block this is and how old (jobs/coherence/block.h), or null when its self-check fails.
export function decodeBlock(bytes) {
	if (bytes.length !== HALF_BYTES)
		return null;
	const view = new DataView(Uint8Array.from(bytes, (byte) => parseInt(byte, 16)).buffer);
	const word = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
	if (word.every((one) => one === 0))
		return "zeroes";
	if ((~word[0] >>> 0) !== word[2] || ((word[1] ^ BLOCK_XOR) >>> 0) !== word[3])
		return null;
	const writer = String.fromCharCode(word[1] >>> 16 & 0xff);
	return `generation ${word[0] >>> 16}, page ${word[0] & 0xffff}, half-line ${word[1] >>> 24}, writer ${WRITER[writer] ?? "unknown"}`;
}

function byteRow(label, bytes, other, from) {
	const part = bytes.slice(from, from + HALF_BYTES);

	return h("tr", null, h("th", {scope: "row"}, label),
		h("td", {class: "bytes"}, part.map((byte, i) => {
			const differs = other?.[from + i] !== undefined && other[from + i].toLowerCase() !== byte.toLowerCase();
			return [h(differs ? "mark" : "span", null, byte), i % 4 === 3 && i < part.length - 1 ? h("span", {class: "gap"}, " ") : null];
		})),
		h("td", {class: "small"}, decodeBlock(part) ?? h("span", {class: "dim"}, "no self-describing block")));
}

function byteTable(record) {
	const expected = hexBytes(record.expected);
	const actual = hexBytes(record.actual);

	if (!expected || !actual)
		return null;
	const body = [];
	for (let from = 0; from < Math.max(expected.length, actual.length); from += HALF_BYTES) {
		const where = Number.isInteger(record.offset) ? `0x${hex(record.offset + from, 3)}` : `+${from}`;
		body.push(h("tbody", null,
			h("tr", null, h("th", {scope: "rowgroup", colspan: "3", class: "where"}, where)),
			byteRow("expected", expected, actual, from), byteRow("actual", actual, expected, from)));
	}
	return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Expected and actual bytes"},
		h("table", {class: "hex"}, h("caption", null, "First bytes that differ; ", h("mark", null, "marked"), " where they do"),
			h("thead", {class: "unseen"}, h("tr", null, ["", "Bytes", "Block"].map((name) => h("th", {scope: "col"}, name)))), body));
}

function signature(record) {
	const views = typeof record.signature === "string" && /^[GB]{3}$/.test(record.signature) ? record.signature : null;

	if (!views)
		return record.signature ? h("p", null, "Signature ", h("code", null, record.signature)) : null;
	return [
		h("ol", {class: "views", "aria-label": `Signature ${views}`}, VIEWS.map((view, i) => h("li", {class: views[i] === "B" ? "bad" : "good"},
			h("strong", null, view.name, " ", views[i] === "B" ? "✗ wrong" : "✓ right"), h("div", {class: "small"}, view.what)))),
		h("p", null, h("code", null, views), ": ", SIGNATURE[views] ?? "Several kinds of wrong data in one page."),
	];
}

function tags(record) {
	const counted = Object.entries(record.tags ?? {}).filter(([, number]) => Number.isInteger(number) && number > 0).slice(0, 16);

	if (counted.length === 0)
		return null;
	return h("ul", {class: "tags"}, counted.map(([tag, number]) =>
		h("li", null, h("strong", null, `${count(number)} ${tag}`), TAG[tag] ? `: ${TAG[tag]}` : null)));
}

function known(value) {
	if (value === undefined || value === null || value === "" || value === -1)
		return null;
	return h("span", {class: "mono"}, typeof value === "object" ? JSON.stringify(value) : String(value));
}

// PG_dcache_clean before and after the act, as /proc/kpageflags told it.
function cleanBit({kpf_arch_before: before, kpf_arch_after: after}) {
	const word = (bit) => (typeof bit === "boolean" ? (bit ? "clean" : "not clean") : "unknown");

	return before === undefined && after === undefined ? null : known(`${word(before)} → ${word(after)}`);
}

function mismatchFacts(record) {
	return facts([
		["Virtual address", known(record.va)],
		["Page frame", known(record.pfn)],
		["User colour", known(record.u_colour)],
		["Kernel colour", known(record.k_colour)],
		["Page marked (PG_dcache_clean)", cleanBit(record)],
		["Iteration", known(record.iteration)],
		["First offset, span", Number.isInteger(record.offset) ? known(`0x${hex(record.offset, 3)}, ${record.length} bytes`) : null],
		["Context switches", record.nvcsw === undefined ? null : known(`${record.nvcsw} voluntary, ${record.nivcsw ?? "?"} forced`)],
		["Seen by", record.seen_by === "child" ? "a forked child" : null],
		["Same again", Number.isInteger(record.repeat) && record.repeat > 0 ? plural(record.repeat, "time") : null],
	]);
}

function mismatch(record, index, all) {
	const bad = badHalves(record.halfline_bitmap);

	return h("details", {class: "mismatch", open: index === 0},
		h("summary", null, `Mismatch ${index + 1} of ${all}`, record.cell ? [" · ", h("span", {class: "mono"}, record.cell)] : null,
			record.class ? [" · ", record.class] : null, record.signature ? [" · ", h("code", null, record.signature)] : null),
		h("div", {class: "split"},
			bad ? h("figure", null, halfGrid(bad), h("figcaption", null, halvesSentence(bad), ". One square is 16 bytes.")) : null,
			h("div", null, signature(record), tags(record))),
		byteTable(record), mismatchFacts(record));
}

// --- the rest

function warning(record) {
	return h("section", null, h("h3", null, "Kernel warning: ", record.kind ?? "unknown"),
		h("pre", {class: "log", tabindex: "0", role: "region", "aria-label": "Kernel warning"}, text(record.text ?? "", PRE_MAX)));
}

function other(record) {
	return h("details", null, h("summary", null, record.type ?? "record"), h("pre", {class: "log", tabindex: "0"}, text(JSON.stringify(record, null, 2), PRE_MAX)));
}

function evidenceList(result) {
	const records = (Array.isArray(result.evidence) ? result.evidence : []).filter((record) => record && typeof record === "object").slice(0, RECORDS_MAX);
	const mismatches = records.filter((record) => record.type === "mismatch");
	const warnings = records.filter((record) => record.type === "kernel-warning");
	const others = records.filter((record) => record.type !== "mismatch" && record.type !== "kernel-warning");

	if (records.length === 0)
		return h("p", {class: "dim"}, result.verdict === "pass" ? "No evidence: nothing was found wrong." : "No evidence record came with this result.");
	return [
		mismatches.length ? h("section", null, h("h3", null, "Wrong data"), mismatches.map((record, i) => mismatch(record, i, mismatches.length))) : null,
		warnings.map(warning), others.map(other),
	];
}

function verdictBox(result) {
	return [
		h("p", null, badge(result.verdict), " ", result.class ? h("strong", null, result.class) : null, result.reason ? h("code", null, result.reason) : null,
			" ", result.trials > 0 ? h("span", {class: "num"}, `${count(result.bad)} bad of ${plural(result.trials, "trial")}`) : null, result.masked > 0 ? `, ${count(result.masked)} masked by other processes` : null),
		h("p", null, FAULT_CLASS[result.class] ?? VERDICT[result.verdict] ?? ""),
		result.detail ? h("p", {class: "mono wrap"}, text(result.detail)) : null,
		result.test_kind === "gap" ? h("p", {class: "note"}, "A gap test: the kernel promises nothing here, so a failure is data and no fault.") : null,
	];
}

// The same test everywhere in this job: every board and column beside the one that is open.
function siblings(result, all, labels) {
	if (all.length < 2)
		return null;
	return h("section", null, h("h3", null, "The same test in this job"),
		h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "The same test in this job"}, h("table", null,
			h("thead", null, h("tr", null, ["Class", "Board", "Build", "Rep", "Verdict", "Bad"].map((name) => h("th", {scope: "col"}, name)))),
			h("tbody", null, all.slice(0, 60).map((one) => h("tr", {"aria-current": one.id === result.id ? "true" : null},
				h("td", null, h("span", {class: "mono"}, one.cache), " ", kindLabel(one.kind)), h("td", null, boardLink(one.board)), h("td", {class: "wrap"}, labels[one.column] ?? one.column),
				h("td", {class: "num"}, String(one.rep)), h("td", null, h("a", {href: `#result=${one.id}`}, badge(one.verdict))),
				h("td", {class: "num"}, badOf(one))))))));
}

// Load a result with what belongs to it.
export async function loadResult(id) {
	const result = await get(`/results/${encodeURIComponent(id)}`);
	const same = await list("/results", {job: result.job, test: result.test, cell: result.cell ?? ""}, 500).catch(() => []);

	return {result, same: same.filter((one) => one.test === result.test && one.cell === result.cell)};
}

// The panel's content. labels: names of the columns.
export function evidence({result, same}, labels) {
	return [
		h("p", {class: "context"}, h("span", {class: "mono"}, result.cache), " ", kindLabel(result.kind), " · ", boardLink(result.board), " · ",
			labels[result.column] ?? `build ${result.build}`, " · ", runLink(result.run), " · ", jobLink(result.job)),
		verdictBox(result),
		cellBox(result.cell),
		evidenceList(result),
		result.log_excerpt ? h("section", null, h("h3", null, "Log around it"),
			h("pre", {class: "log", tabindex: "0", role: "region", "aria-label": "Log around it"}, text(result.log_excerpt, PRE_MAX)),
			h("p", null, link("run.html", {id: result.run, attempt: result.attempt}, "Whole log of the run"))) : null,
		siblings(result, same, labels),
		h("section", null, h("h3", null, "Facts"), facts([
			["Repetition", String(result.rep)], ["Attempt", String(result.attempt)], ["Took", duration(result.duration_us)],
			["Time", time(result.time, {date: "always"})], ["Kind of test", result.test_kind],
			["As JSON", h("a", {href: apiUrl(`/results/${encodeURIComponent(result.id)}`)}, `result ${result.id}`)],
		])),
	];
}
