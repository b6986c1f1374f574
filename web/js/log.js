// log.js - a log file in a window of bounded size: read in pieces with Range from its end, followed while it grows,
// older pieces on demand. Lines beyond the bound leave at the other end.
import {ApiError, request} from "./api.js";
import {fill, h, text} from "./dom.js";
import {bytes} from "./format.js";

const PIECE = 64 * 1024;
const LINES_MAX = 4000;
const LINE_MAX = 4000;
const POLL_MS = 1500;

export class LogView {
	// place: element to fill; path, query: of the log.
	constructor(place, path, query) {
		this.path = path;
		this.query = query;
		this.start = 0; // offset of the first byte that is shown
		this.end = 0; // offset behind the last byte that is shown
		this.size = 0;
		this.partial = null; // element of the last line while it has no newline yet
		this.lines = h("ol", {class: "log-lines"});
		this.older = h("button", {type: "button", onclick: () => this.busy(() => this.readOlder())}, "Older lines");
		this.newest = h("button", {type: "button", onclick: () => this.busy(() => this.readTail())}, "To the end");
		this.status = h("span", {class: "dim small", role: "status"});
		this.box = h("div", {class: "log-box", tabindex: "0", role: "region", "aria-label": "Log"}, this.lines);
		this.box.addEventListener("scroll", () => {
			this.atEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 30;
		});
		this.atEnd = true;
		fill(place, h("div", {class: "row"}, this.older, this.newest, this.status), this.box);
	}

	// Read the end and, while growing() says so, follow.
	async open(growing) {
		this.growing = growing;
		await this.busy(() => this.readTail());
		this.poll();
	}

	close() {
		this.closed = true;
		clearTimeout(this.timer);
	}

	poll() {
		clearTimeout(this.timer);
		this.timer = setTimeout(async () => {
			if (!document.hidden && this.atEnd)
				await this.busy(() => (this.size === 0 ? this.readTail() : this.readNewer()));
			if (!this.closed && this.growing())
				this.poll();
		}, POLL_MS);
	}

	// The run has ended: what came since the last poll.
	async finish() {
		await this.busy(() => (this.size === 0 ? this.readTail() : this.readNewer()));
	}

	// One read at a time; errors are shown where the sizes are.
	async busy(work) {
		if (this.working || this.closed)
			return;
		this.working = true;
		try {
			await work();
			this.showStatus();
		} catch (error) {
			fill(this.status, error instanceof ApiError && error.status === 404 ? "There is no log yet." : `The log cannot be read: ${error.message}`);
		} finally {
			this.working = false;
		}
	}

	showStatus() {
		this.older.disabled = this.start === 0;
		this.newest.disabled = this.end >= this.size;
		fill(this.status, this.size === 0 ? "empty" : `bytes ${bytes(this.start)} to ${bytes(this.end)} of ${bytes(this.size)}`);
	}

	// The bytes of a range, or null when it lies behind the end. Sets this.size and where the piece begins.
	async piece(range) {
		let response;

		try {
			response = await request(this.path, this.query, {headers: {Range: `bytes=${range}`}});
		} catch (error) {
			if (error instanceof ApiError && error.status === 416)
				return null;
			throw error;
		}
		const data = new Uint8Array(await response.arrayBuffer());
		const where = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "");
		this.size = where ? Number(where[2]) : data.length;
		return {data, from: where ? Number(where[1]) : 0};
	}

	async readTail() {
		const got = await this.piece(`-${PIECE}`);

		this.lines.replaceChildren();
		this.partial = null;
		if (!got)
			return;
		// A log that is answered whole, and is longer than a piece, is cut here.
		const skip = Math.max(0, got.data.length - PIECE);
		const data = got.data.subarray(skip);
		const from = got.from + skip;
		const first = from > 0 ? data.indexOf(10) + 1 : 0;
		this.start = from + first;
		this.end = this.start;
		this.append(data.subarray(first));
		this.scrollToEnd();
	}

	async readNewer() {
		// From one byte before: a range that begins at the very end would be an error while nothing is new.
		const from = Math.max(0, this.end - 1);
		const got = await this.piece(`${from}-${this.end + PIECE - 1}`);

		if (!got || got.from !== from || got.data.length <= this.end - from)
			return;
		this.append(got.data.subarray(this.end - from));
		if (this.atEnd)
			this.scrollToEnd();
	}

	async readOlder() {
		const from = Math.max(0, this.start - PIECE);
		const got = await this.piece(`${from}-${this.start - 1}`);

		if (!got)
			return;
		const data = got.data.subarray(0, this.start - from);
		const first = from > 0 ? data.indexOf(10) + 1 : 0;
		const before = this.box.scrollHeight;
		const rows = this.split(data.subarray(first));
		this.lines.prepend(...rows);
		this.start = from + first;
		while (this.lines.childElementCount > LINES_MAX) {
			this.end -= this.lines.lastElementChild.size;
			this.lines.lastElementChild.remove();
			this.partial = null;
			this.atEnd = false;
		}
		this.box.scrollTop += this.box.scrollHeight - before;
	}

	append(data) {
		let at = 0;

		if (this.partial && data.length > 0) {
			const newline = data.indexOf(10);
			at = newline < 0 ? data.length : newline + 1;
			const joined = new Uint8Array(this.partial.bytes.length + at);
			joined.set(this.partial.bytes);
			joined.set(data.subarray(0, at), this.partial.bytes.length);
			this.partial.replaceWith(...this.split(joined));
		}
		this.lines.append(...this.split(data.subarray(at)));
		this.end += data.length;
		const last = this.lines.lastElementChild;
		this.partial = last?.bytes && last.bytes.length < LINE_MAX * 4 ? last : null;
		while (this.lines.childElementCount > LINES_MAX) {
			this.start += this.lines.firstElementChild.size;
			this.lines.firstElementChild.remove();
		}
	}

	// Elements of the lines in data, each with its size in bytes.
	split(data) {
		const rows = [];
		const decoder = new TextDecoder("utf-8", {ignoreBOM: true});

		for (let at = 0; at < data.length;) {
			const newline = data.indexOf(10, at);
			const to = newline < 0 ? data.length : newline + 1;
			const line = decoder.decode(data.subarray(at, newline < 0 ? to : newline)).replace(/\r$/, "");
			const row = h("li", {class: lineClass(line)}, text(line, LINE_MAX));
			row.size = to - at;
			if (newline < 0)
				row.bytes = data.slice(at, to);
			rows.push(row);
			at = to;
		}
		return rows;
	}

	scrollToEnd() {
		this.box.scrollTop = this.box.scrollHeight;
		this.atEnd = true;
	}
}

// Lines that one looks for.
function lineClass(line) {
	if (/\b(Oops|BUG|Kernel panic|Unable to handle|Internal error|WARNING:|Call trace|soft lockup|hung task)\b/i.test(line))
		return "hot";
	return null;
}
