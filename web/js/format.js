// format.js - values to text. Everything a board, a kernel or a submitter wrote passes escapePieces():
// what could hide, reorder or overprint other text is shown as an escape instead.

// Control and format characters (bidi overrides, zero width, tags), lone surrogates, private use, invisible letters, and
// floods of combining marks. Tab and newline stay.
const HOSTILE =
	/(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufffc]|\p{M}{4,}/gu;
const NAMED = new Map([[0, "\\0"], [8, "\\b"], [11, "\\v"], [12, "\\f"], [13, "\\r"], [27, "\\e"]]);

function escapeOne(character) {
	const code = character.codePointAt(0);

	if (NAMED.has(code))
		return NAMED.get(code);
	if (code < 0x100)
		return "\\x" + code.toString(16).padStart(2, "0");
	return "<U+" + code.toString(16).toUpperCase().padStart(4, "0") + ">";
}

// A cut never splits a surrogate pair.
function cutAt(text, max) {
	const last = text.charCodeAt(max - 1);

	return text.slice(0, last >= 0xd800 && last < 0xdc00 ? max - 1 : max);
}

// [{text, escaped}]: the text in order, hostile characters replaced; what is beyond max UTF-16 units is
// counted, not shown.
export function escapePieces(value, max = 2000) {
	const all = String(value);
	const text = all.length > max ? cutAt(all, max) : all;
	const pieces = [];
	let from = 0;

	for (const match of text.matchAll(HOSTILE)) {
		if (match.index > from)
			pieces.push({text: text.slice(from, match.index), escaped: false});
		// A flood of marks says how long it was; one escape each would be a flood again.
		const points = [...match[0]];
		const escaped = points.length > 1 ? `<${points.length} marks>` : escapeOne(match[0]);
		const before = pieces.at(-1);
		if (before?.escaped && match.index === from)
			before.text += escaped;
		else
			pieces.push({text: escaped, escaped: true});
		from = match.index + match[0].length;
	}
	if (from < text.length)
		pieces.push({text: text.slice(from), escaped: false});
	if (text.length < all.length)
		pieces.push({text: ` … ${count(all.length - text.length)} more characters`, escaped: true});
	return pieces;
}

// The same as one string, for titles and labels.
export function clean(value, max = 200) {
	return escapePieces(value, max).map((piece) => piece.text).join("");
}

const grouped = new Intl.NumberFormat("en", {useGrouping: true});

export function count(number) {
	return Number.isFinite(number) ? grouped.format(number) : "?";
}

export function plural(number, one, many = one + "s") {
	return `${count(number)} ${number === 1 ? one : many}`;
}

// A rate of 0 to 1.
export function percent(rate) {
	return `${Number((100 * rate).toPrecision(3))} %`;
}

export function bytes(number) {
	if (!Number.isFinite(number))
		return "?";
	if (number < 1024)
		return `${number} B`;
	for (const unit of ["KiB", "MiB", "GiB"]) {
		number /= 1024;
		if (number < 1024 || unit === "GiB")
			return `${number < 10 ? number.toFixed(1) : Math.round(number)} ${unit}`;
	}
	return "";
}

export function duration(us) {
	if (!Number.isFinite(us) || us < 0)
		return "?";
	if (us < 1000)
		return `${us} µs`;
	if (us < 1e6)
		return `${(us / 1e3).toFixed(us < 1e4 ? 1 : 0)} ms`;
	const s = us / 1e6;
	if (s < 60)
		return `${s.toFixed(s < 10 ? 1 : 0)} s`;
	const m = Math.floor(s / 60);
	if (m < 60)
		return `${m} min ${Math.floor(s % 60)} s`;
	if (m < 48 * 60)
		return `${Math.floor(m / 60)} h ${m % 60} min`;
	return `${Math.floor(m / 1440)} d ${Math.floor(m / 60) % 24} h`;
}

// Milliseconds between two RFC 3339 times, the second now when null; NaN when either is no time.
export function elapsedMs(from, to) {
	return (to ? Date.parse(to) : Date.now()) - Date.parse(from);
}

const two = (number) => String(number).padStart(2, "0");

// Local time; the date only when it is not today.
export function localTime(time, {date = "auto"} = {}) {
	const at = new Date(time);
	if (Number.isNaN(at.getTime()))
		return clean(time ?? "–", 40);
	const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
	if (date === "never" || (date === "auto" && at.toDateString() === new Date().toDateString()))
		return clock;
	return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}`;
}
