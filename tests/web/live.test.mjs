// What changes while one looks: progress, a cut connection, a hidden tab, a log that grows.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {fixture} from "./fixture/server.mjs";
import {launch, openPage} from "./lib/browser.mjs";

const LINE = (i) => `2026-05-03T10:13:00.000000Z line ${i}\n`;

let browser;

before(async () => {
	browser = await launch();
});

after(() => browser.close());

// A farm and a page of the test's own.
async function withFarm(url, prepare, work) {
	const server = await fixture();

	prepare?.(server);
	const opened = await openPage(browser, server.url);
	try {
		await opened.page.goto(url);
		await work(opened.page, server, opened);
		await opened.close();
	} finally {
		await server.close();
	}
}

const connection = (page, state) => page.locator(`#connection[data-state="${state}"]`).waitFor();

test("job: events move progress, test and end without a reload", async () => {
	await withFarm("/job.html?id=2", null, async (page, server) => {
		const job = server.state.jobs.find((one) => one.id === 2);
		const run = job.runs.find((one) => one.id === 24);
		await connection(page, "live");
		await page.locator("#content").waitFor();
		server.push("test", {job: 2, run: 24, test: "shared-alias", rep: 1});
		await page.getByText("testing: shared-alias").first().waitFor();

		Object.assign(run, {arrived: 8, state: "done", stage: null, current_test: null, verdicts: {pass: 8}});
		Object.assign(job, {arrived: 32, state: "done", complete: true, ended: "2026-05-03T10:40:00.000000Z"});
		server.push("job", {job: 2, state: "done", planned: 32, arrived: 32});
		await page.locator("#state").getByText("done").waitFor();
		await page.locator("#state").getByText("32/32").waitFor();
		await page.locator("#connection").getByText("not live: the job is done").waitFor();
		assert.match(await page.title(), /^done · job 2/);
		assert.match(await page.locator("#announce").textContent(), /^Job done, 32 results of 32/);
	});
});

test("home: a board's new state appears, rows that did not change keep their elements", async () => {
	await withFarm("/", null, async (page, server) => {
		await connection(page, "live");
		const row = page.getByRole("row").filter({hasText: "qemu-v7"});
		await row.waitFor();
		await page.evaluate(() => {
			for (const one of document.querySelectorAll("#board-rows tr"))
				one.seen = true;
		});
		Object.assign(server.state.boards.find((board) => board.name === "qemu-v7"), {state: "unreachable", state_detail: "ssh-connect: no answer"});
		server.push("board", {board: "qemu-v7", state: "unreachable", detail: "ssh-connect: no answer"});
		await row.getByText("ssh-connect: no answer").waitFor();
		assert.equal(await page.evaluate(() => [...document.querySelectorAll("#board-rows tr")].filter((one) => one.seen).length), 5);
	});
});

test("run: a cut stream is resumed where it was, no event is lost or shown twice", async () => {
	await withFarm("/run.html?id=24", (server) => server.push("note", {job: 2, run: 24, text: "note 1"}), async (page, server, opened) => {
		opened.expect(/Failed to load resource|ERR_/);
		await page.getByText("note 1").waitFor();
		await connection(page, "live");
		server.push("note", {job: 2, run: 24, text: "note 2"});
		await page.getByText("note 2").waitFor();
		server.cut();
		await page.locator("#connection").getByText("not connected").waitFor();
		server.push("note", {job: 2, run: 24, text: "note 3"});
		await connection(page, "live");
		await page.getByText("note 3").waitFor();
		assert.deepEqual((await page.locator("#event-rows tr td:last-child").allInnerTexts()), ["note 1", "note 2", "note 3"]);
	});
});

test("a hidden tab gives its connection back, and catches up when it is shown again", async () => {
	await withFarm("/run.html?id=24", null, async (page, server) => {
		await connection(page, "live");
		await page.evaluate(() => {
			Object.defineProperty(document, "hidden", {value: true, configurable: true});
			document.dispatchEvent(new Event("visibilitychange"));
		});
		await connection(page, "paused");
		await waitFor(() => server.streams.size === 0);
		server.push("note", {job: 2, run: 24, text: "while away"});
		await page.evaluate(() => {
			delete document.hidden;
			document.dispatchEvent(new Event("visibilitychange"));
		});
		await page.getByText("while away").waitFor();
		await connection(page, "live");
	});
});

async function waitFor(condition) {
	const until = Date.now() + 10000;

	while (!condition()) {
		assert.ok(Date.now() < until, `not in time: ${condition}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

test("run: the log is read from its end, followed, and older pieces come on demand", async () => {
	const total = 6000;

	await withFarm("/run.html?id=24", (server) => server.state.log.set("24/1/run", Array.from({length: total}, (_, i) => LINE(i)).join("")), async (page, server) => {
		const lines = page.locator(".log-lines li");
		const last = page.locator(".log-lines li:last-child");
		await last.getByText(`line ${total - 1}`).waitFor();
		assert.ok(await lines.count() < 2000, "only the end was read");
		// A line in two pieces, and bytes that are no UTF-8, become one line each.
		server.state.log.set("24/1/run", server.state.log.get("24/1/run") + "half of ");
		await last.getByText("half of").waitFor();
		server.state.log.set("24/1/run", server.state.log.get("24/1/run") + "a line\nnext \u001b[0m\n");
		await page.locator(".log-lines li", {hasText: /^half of a line$/}).waitFor();
		await last.getByText("next \\e[0m").waitFor();
		while (await lines.first().innerText() !== LINE(0).trim()) {
			const before = await lines.first().innerText();
			await page.getByRole("button", {name: "Older lines"}).click();
			await page.waitForFunction((text) => document.querySelector(".log-lines li").innerText !== text, before);
		}
		const texts = await lines.allInnerTexts();
		assert.equal(texts.length, 4000, "the number of lines is bounded");
		assert.deepEqual(texts, Array.from({length: 4000}, (_, i) => LINE(i).trim()), "no line is lost, cut or shown twice");
		await page.getByRole("button", {name: "To the end"}).click();
		await last.getByText("next \\e[0m").waitFor();
	});
});
