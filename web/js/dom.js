// dom.js - the only place where elements are made. Text becomes text nodes (never markup), and hostile characters in it
// become visible escapes, so that no page has to think of it.
import {clean, escapePieces, localTime} from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const PLAIN = ["id", "class", "href", "title", "type", "name", "value", "max", "for", "role", "scope", "colspan", "rowspan", "open",
	"tabindex", "placeholder", "checked", "disabled", "datetime", "hidden", "lang", "dir", "autocomplete", "spellcheck"];

function setAttribute(element, name, value) {
	if (value === null || value === undefined || value === false)
		return;
	if (name.startsWith("on")) {
		element.addEventListener(name.slice(2), value);
		return;
	}
	if (!PLAIN.includes(name) && !name.startsWith("aria-") && !name.startsWith("data-"))
		throw new Error(`h(): attribute ${name} is not on the list`);
	if (name === "href" && !/^(#|\?|\/(?!\/)|[a-z]+\.html)/.test(value))
		throw new Error(`h(): ${value} is no address of this server`);
	element.setAttribute(name, value === true ? "" : clean(value, 4000));
}

// Text as nodes: escapes stand out from the same characters typed plainly.
export function text(value, max) {
	const fragment = document.createDocumentFragment();

	for (const piece of escapePieces(value, max)) {
		if (!piece.escaped) {
			fragment.append(document.createTextNode(piece.text));
			continue;
		}
		const span = document.createElement("span");
		span.className = "esc";
		span.textContent = piece.text;
		fragment.append(span);
	}
	return fragment;
}

function append(element, children) {
	for (const child of children) {
		if (child === null || child === undefined || child === false)
			continue;
		if (Array.isArray(child))
			append(element, child);
		else
			element.append(child instanceof Node ? child : text(child));
	}
}

// h("td", {class: "num"}, "text", node, [more]): null and false children are left out.
export function h(tag, attributes, ...children) {
	const element = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes ?? {}))
		setAttribute(element, name, value);
	append(element, children);
	return element;
}

export function svg(tag, attributes, ...children) {
	const element = document.createElementNS(SVG, tag);

	for (const [name, value] of Object.entries(attributes ?? {}))
		element.setAttribute(name, String(value));
	append(element, children);
	return element;
}

export function byId(id) {
	return document.getElementById(id);
}

// Put children in the place of what element holds. The same content again is left alone, so that selection, focus
// and scroll positions live through updates that change nothing.
export function fill(element, ...children) {
	const fresh = document.createElement(element.tagName);

	append(fresh, children);
	if (sameChildren(fresh, element))
		return;
	const focus = focusKey(element);
	element.replaceChildren(...fresh.childNodes);
	if (focus)
		element.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus({preventScroll: true});
}

function sameChildren(one, other) {
	if (one.childNodes.length !== other.childNodes.length)
		return false;
	return [...one.childNodes].every((node, i) => node.isEqualNode(other.childNodes[i]));
}

function focusKey(element) {
	const focused = document.activeElement;

	return focused && element.contains(focused) ? focused.dataset.key : undefined;
}

// Make parent's children follow items. make(item) is called when the item's JSON changed since the last call;
// rows that did not change keep their elements.
export function syncRows(parent, items, keyOf, make) {
	const old = new Map([...parent.children].map((row) => [row.dataset.row, row]));
	const focus = focusKey(parent);
	let at = parent.firstElementChild;

	for (const item of items) {
		const key = String(keyOf(item));
		const state = JSON.stringify(item);
		let row = old.get(key);
		if (row && row.syncState !== state) {
			const fresh = make(item);
			if (row === at)
				at = fresh;
			row.replaceWith(fresh);
			row = fresh;
		}
		row ??= make(item);
		row.syncState = state;
		row.dataset.row = key;
		old.delete(key);
		if (row === at)
			at = at.nextElementSibling;
		else
			parent.insertBefore(row, at);
	}
	for (const row of old.values())
		row.remove();
	if (focus && !parent.contains(document.activeElement))
		parent.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus({preventScroll: true});
}

// href to a page of ours: page("run.html", {id: 3}).
export function page(name, query) {
	const search = new URLSearchParams();

	for (const [key, value] of Object.entries(query ?? {})) {
		if (value !== null && value !== undefined)
			search.set(key, String(value));
	}
	// As in any address: "+" for a space is of forms only, and names may have a plus.
	return search.size === 0 ? name : `${name}?${String(search).replaceAll("+", "%20")}`;
}

export function link(name, query, ...children) {
	return h("a", {href: page(name, query)}, children);
}

export function time(value, options) {
	if (!value)
		return h("span", {class: "dim"}, "–");
	return h("time", {datetime: value, title: value}, localTime(value, options));
}

// Facts as a definition list: pairs [name, value]; a pair whose value is null is left out. Long ones get a line of their own.
export function facts(pairs) {
	return h("dl", {class: "facts"}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
		.map(([name, value]) => {
			const shown = h("dd", null, value);
			return h("div", {class: shown.textContent.length > 60 ? "long" : null}, h("dt", null, name), shown);
		}));
}

// A box that scrolls sideways on its own, so that the page never does. Reachable by keyboard.
export function scroller(label, ...children) {
	return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": label}, children);
}

export function table(label, columns, body) {
	return h("table", {class: "stack"}, h("caption", {class: "unseen"}, label),
		h("thead", null, h("tr", null, columns.map((column) => h("th", {scope: "col"}, column)))), body);
}

export function setTitle(...parts) {
	document.title = [...parts, "Cohort"].filter(Boolean).map((part) => clean(part, 60)).join(" · ");
}
