// browser.mjs - Debian's Chromium for tests. A page fails its test when it logs an error, breaks its CSP, throws, or
// asks anybody but the server under test.
import assert from "node:assert/strict";
import {chromium} from "playwright-core";

const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
export const SIZES = {narrow: {width: 400, height: 800}, wide: {width: 1600, height: 1000}};

// A new, empty profile each time: playwright makes a temporary directory and removes it.
export function launch() {
	return chromium.launch({executablePath: process.env.COHORT_CHROMIUM ?? "/usr/bin/chromium", headless: true, args: ARGS});
}

const contexts = new Map(); // one a server: a context costs more than a page

async function contextOf(browser, base) {
	if (!contexts.has(base))
		contexts.set(base, browser.newContext({timezoneId: "UTC", baseURL: base}));
	return contexts.get(base);
}

// A tab of its own. close() closes it and fails when anything went wrong in it.
export async function openPage(browser, base, {size = SIZES.wide, dark = false} = {}) {
	const page = await (await contextOf(browser, base)).newPage();
	const faults = [];
	const expected = []; // patterns of messages that a test provokes

	await page.setViewportSize(size);
	await page.emulateMedia({colorScheme: dark ? "dark" : "light"});
	page.on("console", (message) => {
		if (message.type() === "error" || message.type() === "warning")
			faults.push(`console ${message.type()}: ${message.text()}`);
	});
	page.on("pageerror", (error) => faults.push(`thrown: ${error.stack}`));
	page.on("request", (request) => {
		if (!request.url().startsWith(base) && !request.url().startsWith("data:"))
			faults.push(`asked a stranger: ${request.url()}`);
	});
	await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) =>
		console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
	return {
		page,
		expect: (pattern) => expected.push(pattern),
		async close() {
			await page.close();
			assert.deepEqual(faults.filter((fault) => !expected.some((pattern) => pattern.test(fault))), []);
		},
	};
}

// Does the page as a whole scroll sideways? Then its width is wrong.
export async function assertNoSideScroll(page) {
	const {scroll, client, widest} = await page.evaluate(() => ({
		scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth,
		widest: [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest(".scroll, .unseen, .skip"))
			.slice(0, 3).map((e) => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`),
	}));

	assert.ok(scroll <= client, `the page is ${scroll} px wide in a window of ${client} px: ${widest.join(" | ")}`);
}
