// Pure functions of the page, in the engine that runs them.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {fixture} from "./fixture/server.mjs";
import {launch, openPage} from "./lib/browser.mjs";

let server;
let browser;
let opened;

before(async () => {
	server = await fixture();
	browser = await launch();
	opened = await openPage(browser, server.url);
	await opened.page.goto("/board.html");
});

after(async () => {
	await opened.close();
	await browser.close();
	await server.close();
});

// Call an exported function of web/js/MODULE in the page.
function call(module, name, ...values) {
	return opened.page.evaluate(async ([from, what, given]) => (await import(`/js/${from}`))[what](...given), [module, name, values]);
}

test("hostile characters become visible escapes, plain text stays", async () => {
	for (const [input, expected] of [
		["plain text, ünïcödé ✓ 日本", "plain text, ünïcödé ✓ 日本"],
		["tab\tand\nline", "tab\tand\nline"],
		["\u001b[31mred\u0000\r\u0085", "\\e[31mred\\0\\r\\x85"],
		["a\u202eb\u2066c\u200bd\ufeffe", "a<U+202E>b<U+2066>c<U+200B>d<U+FEFF>e"],
		["tag \u{e0041}, filler \u3164, private \ue000", "tag <U+E0041>, filler <U+3164>, private <U+E000>"],
		["e\u0301 is fine, Z" + "\u0301".repeat(50), "e\u0301 is fine, Z<50 marks>"],
		["lone \ud800 surrogate", "lone <U+D800> surrogate"],
		["x".repeat(300), "x".repeat(200) + " … 100 more characters"],
		["y".repeat(199) + "\u{1f600}z", "y".repeat(199) + " … 3 more characters"],
	])
		assert.equal(await call("format.js", "clean", input), expected);
});

test("numbers, sizes and times", async () => {
	assert.equal(await call("format.js", "count", 1234567), "1,234,567");
	assert.deepEqual(await Promise.all([0, 1023, 1024, 1536, 10 * 1024 ** 2, 3 * 1024 ** 3].map((n) => call("format.js", "bytes", n))),
		["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10 MiB", "3.0 GiB"]);
	assert.deepEqual(await Promise.all([0, 999, 1500, 412000, 2500000, 61e6, 3 * 3600e6, 50 * 3600e6, -1].map((us) => call("format.js", "duration", us))),
		["0 µs", "999 µs", "1.5 ms", "412 ms", "2.5 s", "1 min 1 s", "3 h 0 min", "2 d 2 h", "?"]);
	assert.equal(await call("format.js", "localTime", "2026-05-03T10:11:12.000000Z"), "2026-05-03 10:11:12");
	assert.equal(await call("format.js", "localTime", "\u202ebad"), "<U+202E>bad");
});

test("the event stream parser takes any cut of the bytes", async () => {
	const events = await opened.page.evaluate(async () => {
		const {StreamParser} = await import("/js/live.js");
		const bytes = new TextEncoder().encode(": hi\n\nid: 7\nevent: run\ndata: {\"é\":\ndata: 1}\n\nid: 8\r\ndata: x\r\n\r\ndata: never ended");
		const found = [];
		for (const size of [1, 2, 3, 1000]) {
			const got = [];
			const parser = new StreamParser((event) => got.push(event));
			for (let at = 0; at < bytes.length; at += size)
				parser.feed(bytes.subarray(at, at + size));
			found.push(got);
		}
		return found;
	});
	const expected = [{id: "7", event: "run", data: "{\"é\":\n1}"}, {id: "8", event: "message", data: "x"}];

	assert.deepEqual(events, [expected, expected, expected, expected]);
});

test("half-lines and blocks of a mismatch record", async () => {
	assert.equal(await call("evidence.js", "badHalves", "zz"), null);
	assert.equal(await call("evidence.js", "badHalves", 7), null);
	const first = await call("evidence.js", "badHalves", "8" + "0".repeat(62) + "1");
	assert.deepEqual(first.flatMap((bad, i) => (bad ? [i] : [])), [0, 255]);
	const odd = await call("evidence.js", "badHalves", "5".repeat(64));
	assert.match(await call("evidence.js", "halvesSentence", odd), /^128 bad half-lines of 256, all odd/);
	assert.match(await call("evidence.js", "halvesSentence", await call("evidence.js", "badHalves", "0ff" + "0".repeat(61))), /in one piece/);
	const block = "03000700 7700550c fcfff8ff b45a9656".replaceAll(" ", "").match(/../g);
	assert.equal(await call("evidence.js", "decodeBlock", block), "generation 7, page 3, half-line 12, writer user");
	assert.equal(await call("evidence.js", "decodeBlock", ["04", ...block.slice(1)]), null);
	assert.equal(await call("evidence.js", "decodeBlock", new Array(16).fill("00")), "zeroes");
});

test("links lead to this server only", async () => {
	const made = await opened.page.evaluate(async () => {
		const {h, page} = await import("/js/dom.js");
		const refused = ["//evil.example", "https://evil.example", "javascript:alert(1)", "\\\\evil"].filter((href) => {
			try {
				h("a", {href});
				return false;
			} catch {
				return true;
			}
		});
		return {refused: refused.length, page: page("board.html", {name: "a b+&c=\"<\u202e"})};
	});

	assert.equal(made.refused, 4);
	assert.equal(made.page, "board.html?name=a%20b%2B%26c%3D%22%3C%E2%80%AE");
});
