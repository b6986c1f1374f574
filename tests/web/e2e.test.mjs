// The page against the real programs: this build's cohortd, cohort-board and agent, and a board on a loopback sshd. One job is
// followed from its submission to the evidence of its failure.
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {writeFileSync} from "node:fs";
import path from "node:path";
import readline from "node:readline";
import {after, before, test} from "node:test";
import {fileURLToPath} from "node:url";
import {SIZES, assertNoSideScroll, launch, openPage} from "./lib/browser.mjs";

const HELPER = path.join(path.dirname(fileURLToPath(import.meta.url)), "lib/real_farm.py");
const CELL = "u=dirty,k=clean,delta=1";
const PATIENCE = 40000;

let farm;
let helper;
let browser;
let job;

async function post(where, body) {
	const response = await fetch(farm.url + where, {
		method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json", Authorization: `Bearer ${farm.token}`},
	});
	const text = await response.text();

	assert.equal(response.status, 201, text);
	return JSON.parse(text);
}

before(async () => {
	helper = spawn("python3", ["-B", HELPER], {stdio: ["pipe", "pipe", "inherit"]});
	const [line] = await Promise.race([once(readline.createInterface(helper.stdout), "line"), once(helper, "exit").then(() => {
		throw new Error("the farm did not start");
	})]);
	farm = JSON.parse(line);
	browser = await launch();
	for (const name of ["base", "next"])
		await post("/api/v1/builds", {name, arch: "x86-64"});
	job = await post("/api/v1/jobs", {name: "seen by the page", builds: ["base", "next"], boards: {names: ["loop-1"]}, suite: "page"});
});

after(async () => {
	await browser?.close();
	helper.stdin.end();
	if (helper.exitCode === null)
		await once(helper, "exit");
});

async function visit(url, options, work) {
	const opened = await openPage(browser, farm.url, options);

	opened.page.setDefaultTimeout(PATIENCE);
	await opened.page.goto(url);
	await work(opened.page, opened);
	await opened.close();
}

test("the server sends the pages with the policy that they are written for", async () => {
	const response = await fetch(`${farm.url}/`);
	const policy = response.headers.get("Content-Security-Policy");

	for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"])
		assert.ok(policy.includes(part), `${part} in ${policy}`);
	assert.equal(response.headers.get("X-Content-Type-Options"), "nosniff");
	assert.match((await fetch(`${farm.url}/js/dom.js`)).headers.get("Content-Type"), /^text\/javascript/);
});

test("a job is seen running and ending, live", async () => {
	await visit(`/job.html?id=${job.id}`, {}, async (page, opened) => {
		opened.expect(/404/); // the log of an attempt that has only begun
		await page.locator("#connection[data-state=live]").waitFor();
		await page.locator("#runs").getByText("testing: waits").waitFor();
		assert.match(await page.locator("#matrix").innerText(), /none\s+host\s+cannot prove coherency\s+▸ running 0 pass so far[^]*0\/3/);

		const home = await browser.newPage();
		await home.goto(`${farm.url}/`);
		await home.getByRole("row").filter({hasText: "loop-1"}).getByText("busy").waitFor();
		await home.getByRole("row").filter({hasText: "seen by the page"}).getByText("running").waitFor();
		const run = await browser.newPage();
		await run.goto(`${farm.url}/run.html?id=${(await page.locator("#run-rows a").first().innerText()).slice(4)}`);
		await run.locator("#events").getByText("began waits").waitFor();

		writeFileSync(farm.gate, "");
		await page.locator("#state").getByText("done").waitFor();
		await page.locator("#state").getByText("6/6").waitFor();
		await page.locator("#connection").getByText("not live: the job is done").waitFor();
		await home.locator("#recent").getByText("seen by the page").waitFor();
		await home.getByRole("row").filter({hasText: "loop-1"}).getByText("idle").waitFor();
		await run.locator("#events").getByText("done").first().waitFor();
		await home.close();
		await run.close();
		assert.match(await page.locator("#matrix").innerText(), /✓ pass 2\/3 pass\s+1 skipped[^]*✗ fail 1\/3 fail/);
	});
});

test("the comparison names the regression and shows its evidence", async () => {
	for (const size of [SIZES.wide, SIZES.narrow]) {
		await visit(`/compare.html?job=${job.id}`, {size}, async (page) => {
			await page.locator("#headline").getByText("1 regressed").waitFor();
			await page.locator("#matrix .note").waitFor();
			const row = page.getByRole("row").filter({hasText: CELL});
			await row.getByText("regressed").waitFor();
			await assertNoSideScroll(page);
			await row.getByRole("link").last().press("Enter");
			const panel = page.locator("#panel");
			await panel.locator("figcaption", {hasText: "128 bad half-lines of 256, all odd"}).waitFor();
			const text = await panel.innerText();
			for (const expected of [/stale-user 9 bad of 16 trials/, /generation 7, page 3, half-line 1, writer user/, /Page frame\s+31337/, /V1 ✗ wrong/, /user alias: dirty lines/])
				assert.match(text, expected);
			await panel.locator("pre.log", {hasText: "about to read through the user alias"}).waitFor();
			await assertNoSideScroll(page);
			await page.reload();
			await panel.locator("figcaption", {hasText: "128 bad half-lines"}).waitFor();
		});
	}
});

test("the run has its facts, attempt, log and events; what the board said is escaped", async () => {
	const {items} = await (await fetch(`${farm.url}/api/v1/runs?job=${job.id}`)).json();

	for (const size of [SIZES.wide, SIZES.narrow]) {
		await visit(`/run.html?id=${items[0].id}`, {size}, async (page) => {
			const line = page.locator(".log-lines li", {hasText: "a board says"});
			await line.waitFor();
			assert.match(await line.innerText(), /a board says \S+\[31mred\S+\[0m and <U\+202E>reversed/);
			assert.doesNotMatch(await page.locator("body").textContent(), /[\u001b\u202e]/);
			assert.match(await page.locator("#attempts").innerText(), /loop-1[^]*complete/);
			await page.locator("#events", {hasText: "began flip"}).waitFor();
			assert.match(await page.locator("#board-facts").innerText(), /release/);
			await assertNoSideScroll(page);
		});
	}
});

test("the board page has what the agent told", async () => {
	await visit("/board.html?name=loop-1", {}, async (page) => {
		await page.locator("#runs").getByText("seen by the page").or(page.locator("#runs").getByText(`job ${job.id}`)).first().waitFor();
		assert.match(await page.locator("#facts").innerText(), /sshd on this machine/);
		assert.match(await page.locator("#board-facts").innerText(), /release[^]*machine/);
	});
});
