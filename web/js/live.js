// live.js - Server-Sent Events over fetch(): unlike EventSource it can send the token, and says what state it is in.
// A stream is resumed with Last-Event-ID, so no event is lost or seen twice. While the tab is hidden the stream is
// closed: browsers allow six connections a server, and forgotten tabs would use them up.
import {apiUrl, headers} from "./api.js";
import {h, fill} from "./dom.js";

const SILENCE_MS = 40000; // the server sends a comment every 15 s
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const LINE_MAX = 1024 * 1024;

// Feed bytes of an event stream; calls onevent({id, event, data}) for each event in it.
export class StreamParser {
	constructor(onevent) {
		this.onevent = onevent;
		this.decoder = new TextDecoder();
		this.rest = "";
		this.lastId = null;
		this.reset();
	}

	reset() {
		this.event = "message";
		this.data = [];
	}

	feed(chunk) {
		this.rest += this.decoder.decode(chunk, {stream: true});
		const lines = this.rest.split(/\r\n|\n|\r(?!$)/);
		this.rest = lines.pop();
		if (this.rest.length > LINE_MAX)
			throw new Error("a line of the event stream is too long");
		for (const line of lines)
			this.line(line);
	}

	line(line) {
		if (line === "") {
			if (this.data.length > 0)
				this.onevent({id: this.lastId, event: this.event, data: this.data.join("\n")});
			this.reset();
			return;
		}
		const colon = line.indexOf(":");
		if (colon === 0)
			return;
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
		if (field === "id")
			this.lastId = value;
		else if (field === "event")
			this.event = value;
		else if (field === "data")
			this.data.push(value);
	}
}

// live({path, query, after, onopen, onevent}): keeps a stream open until stop(). onopen(resumed) comes when the stream
// stands: not resumed means that events may have been missed, so load the state anew. onevent gets the data object.
export function live(options) {
	const stream = new Live(options);

	stream.start();
	return stream;
}

class Live {
	constructor(options) {
		this.options = options;
		this.lastId = options.after ?? null;
		this.failures = 0;
		this.stopped = false;
		this.onvisible = () => (document.hidden ? this.pause() : this.start());
		document.addEventListener("visibilitychange", this.onvisible);
		this.ononline = () => this.start();
		window.addEventListener("online", this.ononline);
	}

	start() {
		if (this.stopped || this.abort || document.hidden)
			return;
		clearTimeout(this.timer);
		this.abort = new AbortController();
		this.read(this.abort).catch((error) => error).then((error) => this.ended(error));
	}

	pause() {
		clearTimeout(this.timer);
		show("paused", "paused in the background");
		this.abort?.abort();
	}

	// No more events are needed: text says why ("the job has ended").
	stop(text) {
		this.stopped = true;
		clearTimeout(this.timer);
		this.abort?.abort();
		document.removeEventListener("visibilitychange", this.onvisible);
		window.removeEventListener("online", this.ononline);
		show("ended", text);
	}

	watch(abort) {
		clearTimeout(this.silence);
		this.silence = setTimeout(() => abort.abort(), SILENCE_MS);
	}

	async read(abort) {
		const resume = this.lastId !== null;
		show("connecting", "connecting …");
		this.watch(abort);
		const response = await fetch(apiUrl(this.options.path, this.options.query), {
			headers: headers({Accept: "text/event-stream", ...(resume ? {"Last-Event-ID": String(this.lastId)} : {})}),
			signal: abort.signal,
			cache: "no-store",
		});
		if (!response.ok)
			throw new Error(`HTTP ${response.status}`);
		show("live", "live");
		this.options.onopen?.(resume);
		const parser = new StreamParser((event) => this.event(event));
		const reader = response.body.getReader();
		for (;;) {
			const {done, value} = await reader.read();
			if (done)
				throw new Error("the server closed the stream");
			this.failures = 0;
			this.watch(abort);
			parser.feed(value);
		}
	}

	event({id, data}) {
		if (id !== null)
			this.lastId = id;
		try {
			this.options.onevent(JSON.parse(data));
		} catch (error) {
			console.error("an event that cannot be used", error);
		}
	}

	ended() {
		clearTimeout(this.silence);
		this.abort = null;
		if (this.stopped || document.hidden)
			return;
		const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
		this.failures++;
		show("waiting", `not connected, next try in ${Math.max(1, Math.round(wait / 1000))} s`);
		this.timer = setTimeout(() => this.start(), wait * (0.8 + 0.4 * Math.random()));
	}
}

const SYMBOLS = {live: "●", connecting: "○", waiting: "✗", paused: "‖", ended: "■"};

// The connection's state, in words, in the page's header.
function show(state, words) {
	const place = document.getElementById("connection");

	if (!place)
		return;
	place.dataset.state = state;
	fill(place, h("span", {"aria-hidden": "true"}, SYMBOLS[state], " "), words);
}

// Calls of the function returned become at most one call of work() at a time and one every interval; the last
// call is never lost.
export function throttled(interval, work) {
	let running = false;
	let again = false;
	let last = -Infinity;
	let timer = null;

	async function round() {
		timer = null;
		running = true;
		last = performance.now();
		try {
			await work();
		} finally {
			running = false;
			if (again) {
				again = false;
				request();
			}
		}
	}
	function request() {
		if (running)
			again = true;
		else
			timer ??= setTimeout(round, Math.max(0, last + interval - performance.now()));
	}
	return request;
}
