// The page's own rules, checked in its source: no markup from strings, no inline script or style, nothing from elsewhere.
import assert from "node:assert/strict";
import {readdirSync, readFileSync} from "node:fs";
import path from "node:path";
import test from "node:test";
import {fileURLToPath} from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const WEB = path.resolve(HERE, "../../web");
const files = (dir, end) => readdirSync(dir).filter((name) => name.endsWith(end)).map((name) => [name, readFileSync(path.join(dir, name), "utf8")]);
const scripts = files(path.join(WEB, "js"), ".js");
const pages = files(WEB, ".html");

test("scripts make no markup from strings and run no code from strings", () => {
	const forbidden = /innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write|srcdoc|\beval\b|new Function|setTimeout\(["'`]|\.cssText|javascript:/;

	assert.ok(scripts.length > 10);
	for (const [name, source] of scripts)
		assert.doesNotMatch(source, forbidden, name);
});

test("elements are made in dom.js only", () => {
	for (const [name, source] of scripts.filter(([script]) => script !== "dom.js"))
		assert.doesNotMatch(source, /createElement|setAttribute\("(?!aria-)/, name);
});

test("pages have no inline script, style or handler", () => {
	assert.equal(pages.length, 7);
	for (const [name, source] of pages) {
		assert.doesNotMatch(source, /<style|\sstyle=|\son[a-z]+=|javascript:/i, name);
		for (const [, attributes, body] of source.matchAll(/<script([^>]*)>([^<]*)<\/script>/g)) {
			assert.match(attributes, /type="module" src="js\/[a-z]+\.js"/, name);
			assert.equal(body.trim(), "", name);
		}
		assert.match(source, /<html lang="en">/, name);
		assert.match(source, /<meta name="viewport"/, name);
		assert.match(source, /<h1/, name);
	}
});

test("nothing is named that is not on this server", () => {
	for (const [name, source] of [...pages, ...scripts, ...files(WEB, ".css")])
		assert.doesNotMatch(source.replaceAll("http://www.w3.org/2000/svg", ""), /https?:|url\(|@import/, name);
});

test("each page preloads what its script imports", () => {
	const imports = (name, seen = new Set()) => {
		const source = scripts.find(([script]) => script === name)[1];
		for (const [, next] of source.matchAll(/from "\.\/([a-z]+\.js)"/g)) {
			if (!seen.has(next))
				imports(next, seen.add(next));
		}
		return seen;
	};

	for (const [name, source] of pages) {
		const preloaded = [...source.matchAll(/modulepreload" href="js\/([a-z]+\.js)"/g)].map((match) => match[1]);
		assert.deepEqual(preloaded.sort(), [...imports(name.replace(".html", ".js"))].sort(), name);
	}
});

test("the lock file names no registry", () => {
	const lock = readFileSync(path.join(HERE, "package-lock.json"), "utf8");

	assert.doesNotMatch(lock, /"resolved"|https?:/);
	assert.match(lock, /"integrity": "sha512-/);
});
