// api.js - the HTTP API (docs/API.md) as functions. Reading may need a token (--read-token-required): it is asked for once and
// kept for this tab only.
import {h, page} from "./dom.js";

const BASE = "/api/v1";
const TIMEOUT_MS = 20000;

export class ApiError extends Error {
	constructor(status, problem) {
		super(problem.detail || problem.title || `HTTP ${status}`);
		this.status = status;
		this.errors = Array.isArray(problem.errors) ? problem.errors : [];
	}
}

export function headers(more) {
	const token = sessionStorage.getItem("token");

	return {...(token ? {Authorization: `Bearer ${token}`} : {}), ...more};
}

export function apiUrl(path, query) {
	return page(BASE + path, query);
}

async function problemOf(response) {
	try {
		return await response.json();
	} catch {
		return {title: `${response.status} ${response.statusText}`};
	}
}

// fetch() with the token, a deadline, and an ApiError for each status that is not 2xx.
export async function request(path, query, more = {}) {
	let response;

	try {
		response = await fetch(apiUrl(path, query), {
			headers: headers(more.headers),
			signal: more.signal ?? AbortSignal.timeout(TIMEOUT_MS),
			cache: "no-store",
		});
	} catch (error) {
		if (error.name === "AbortError")
			throw error;
		throw new ApiError(0, {detail: error.name === "TimeoutError" ?
			`No answer in ${TIMEOUT_MS / 1000} s.` : "The server cannot be reached."});
	}
	if (!response.ok)
		throw new ApiError(response.status, await problemOf(response));
	return response;
}

export async function get(path, query) {
	const response = await request(path, query, {headers: {Accept: "application/json"}});

	return response.json();
}

// All items of a list, at most max.
export async function list(path, query, max = 500) {
	const items = [];
	let cursor = null;

	do {
		const part = await get(path, {...query, limit: Math.min(500, max - items.length), cursor});
		items.push(...part.items);
		cursor = part.next;
	} while (cursor && items.length < max);
	return items;
}

function tokenForm(retry) {
	const input = h("input", {type: "password", id: "token", autocomplete: "off", spellcheck: "false"});
	const use = () => {
		sessionStorage.setItem("token", input.value.trim());
		retry();
	};
	input.addEventListener("keydown", (event) => event.key === "Enter" && use());
	return h("p", {class: "row"}, h("label", {for: "token"}, "Token "), input, h("button", {type: "button", onclick: use}, "Use"));
}

// What a page shows in the place of what it could not load.
export function errorBox(error, retry) {
	const api = error instanceof ApiError;

	return h("div", {class: "error", role: "alert"},
		h("p", null, h("strong", null, api && error.status ? `Error ${error.status}: ` : "Error: "), error.message),
		api ? error.errors.slice(0, 20).map((one) => h("p", {class: "mono"}, one.pointer, " ", one.detail)) : null,
		api && error.status === 401 ? tokenForm(retry) : h("button", {type: "button", onclick: retry}, "Try again"));
}
