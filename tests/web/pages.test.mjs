// Every page against the fixture farm: what it says, both widths, keyboard, and text that wants to break it.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import * as data from "./fixture/data.mjs";
import {fixture} from "./fixture/server.mjs";
import {SIZES, assertNoSideScroll, launch, openPage} from "./lib/browser.mjs";

const PAGES = {
	schedules: "/schedules.html", home: "/", job: "/job.html?id=2", hostileJob: "/job.html?id=3", compare: "/compare.html?job=1", study: "/compare.html?builds=20,21,22,23,24", run: "/run.html?id=19", board: "/board.html?name=sheeva-2",
	allSeries: "/series.html", series: "/series.html?name=flush-dcache", hostileSeries: "/series.html?name=lonely",
	evidence: `/compare.html?job=1#result=${failing().cells[0].result}`, hostileEvidence: `/compare.html?job=1#result=${data.resultHostile.id}`,
};

let server;
let browser;

// A cell of the physical VIVT board that fails on stock and is fixed later.
function failing() {
	return data.compare1.classes[0].rows.find((row) => row.cell && row.class_of_change === "fixed");
}

before(async () => {
	server = await fixture();
	server.state.log.set("19/3/run", Array.from({length: 30}, (_, i) => `2026-05-03T10:13:${i + 10}Z line ${i} ${data.HOSTILE}`).join("\n"));
	server.push("run", {job: 1, run: 19, board: "n810", state: "running", stage: "provision", attempt: 3, fault: null});
	server.push("warning", {job: 1, run: 19, board: "n810", warning: "oops", text: data.OOPS});
	server.push("note", {job: 1, run: 19, text: data.HOSTILE});
	browser = await launch();
});

after(async () => {
	await browser.close();
	await server.close();
});

async function visit(url, options, work) {
	const opened = await openPage(browser, server.url, options);

	await opened.page.goto(url);
	await work(opened.page, opened);
	await opened.close();
}

async function ready(page, name) {
	if (name === "home")
		await page.getByRole("link", {name: "qemu-vivt"}).waitFor();
	else
		await page.locator("#content").waitFor();
	if (name.toLowerCase().includes("evidence"))
		await page.locator("#panel h3", {hasText: "Facts"}).waitFor();
	if (name === "run")
		await page.locator(".log-lines li").first().waitFor();
}

for (const [name, url] of Object.entries(PAGES)) {
	test(`${name}: no side scroll, hostile text is harmless, contrast and structure, narrow and wide, light and dark`, async () => {
		await visit(url, {size: SIZES.narrow}, async (page) => {
			await ready(page, name);
			for (const dark of [false, true]) {
				await page.setViewportSize(dark ? SIZES.wide : SIZES.narrow);
				await page.emulateMedia({colorScheme: dark ? "dark" : "light"});
				await assertNoSideScroll(page);
				const {bad, images, title} = await page.evaluate(() => ({
					bad: /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069]/.test(document.body.textContent + document.title),
					images: document.images.length, title: document.title,
				}));
				assert.equal(bad, false, "raw control or bidi characters on the page");
				assert.equal(images, 0);
				assert.ok(title.length < 200 && title.endsWith("Cohort"), title);
				assert.deepEqual(await page.evaluate(lowContrast), [], `contrast, ${dark ? "dark" : "light"}`);
				assert.deepEqual(await page.evaluate(structureFaults), []);
			}
		});
	});
}

// Runs in the page: elements with text of their own whose contrast with what is behind them is below 4.5.
function lowContrast() {
	const parse = (color) => color.match(/[\d.]+/g).map(Number);
	const channel = (value) => ((value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
	const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
	const behind = (element) => {
		for (let at = element; at; at = at.parentElement) {
			const color = parse(getComputedStyle(at).backgroundColor);
			if (color.length < 4 || color[3] > 0)
				return color;
		}
		return [255, 255, 255];
	};
	const own = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
	const low = [...document.querySelectorAll("body *:not(svg *):not(:disabled)")].filter((e) => own(e) && e.checkVisibility()).map((e) => {
		const [one, two] = [luminance(parse(getComputedStyle(e).color)), luminance(behind(e))];
		return [(Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05), `${e.tagName}.${e.className}: ${e.textContent.slice(0, 30)}`];
	}).filter(([ratio]) => ratio < 4.5).map(([ratio, what]) => `${ratio.toFixed(2)} ${what}`);

	return [...new Set(low)].slice(0, 5);
}

// Runs in the page: what somebody who cannot see it would stumble over.
function structureFaults() {
	const visible = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility());

	return [
		document.querySelectorAll("h1").length === 1 ? null : "not one h1",
		...visible("table").map((e) => (e.tHead && e.querySelector("th[scope=col]") ? null : `table without headers: ${e.textContent.slice(0, 40)}`)),
		...visible("[role=region], section, aside").map((e) => (e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.querySelector("h2, h3") ? null : `unnamed ${e.className}`)),
		...visible("button, a, input").map((e) => (e.textContent.trim() || e.labels?.length || e.getAttribute("aria-label") ? null : `unnamed ${e.tagName} ${e.id}`)),
		...[...document.querySelectorAll("[id]")].map((e, _, all) => (all.filter((other) => other.id === e.id).length === 1 ? null : `id twice: ${e.id}`)),
	].filter(Boolean);
}

test("home: boards with class, kind and reason, jobs with their tallies", async () => {
	await visit("/", {}, async (page) => {
		const row = (name) => page.getByRole("row").filter({hasText: name});
		assert.match(await row("n810").innerText(), /vipt-aliasing\s+physical\s+✗ unreachable\s+ssh-connect: 192\.168\.7\.9:22: No route to host/);
		assert.match(await row("sheeva-2").innerText(), /disabled\s+PSU fan dying, ordered 2026-05-01/);
		assert.match(await row("qemu-al").innerText(), /▸ busy\s+run 24\s+testing: mmap-write-read/);
		assert.match(await row("nightly: stock").innerText(), /▸ running\s+19\/32\s+✓ 17 pass/);
		assert.match(await row("ARM: flush_kernel_dcache_page").innerText(), /■ done ◐ incomplete\s+✓ 56 pass\s*✗ 3 fail\s*– 8 skip\s*∅ 5 missing/);
		await row("ARM: flush_kernel_dcache_page").getByRole("link", {name: "compare"}).click();
		await page.waitForURL(/compare\.html\?job=1$/);
		await page.locator("#content").waitFor();
	});
});

test("compare: headline, matrix, and the note that QEMU proves nothing", async () => {
	await visit(PAGES.compare, {}, async (page) => {
		await page.getByText("v3 fixes dio-read-anon and breaks dio-read-mapped on vivt").waitFor();
		const matrix = page.getByRole("region", {name: "Cache class by build"});
		const rows = await matrix.getByRole("row").allInnerTexts();
		assert.match(rows[1], /^vivt physical\s+✗ fail 2\/8 fail[^]*✓ pass 7\/10 pass[^]*✗ fail 2\/8 fail/);
		assert.match(rows[2], /^vivt qemu\s+cannot prove coherency\s+✓ pass 8\/8 pass/);
		assert.match(rows[3], /◐ incomplete 3\/8 pass\s+5 missing\s+3 farm faults/);
		assert.ok(await page.locator("#matrix .note", {hasText: data.NOTE}).isVisible());
		// A pass on QEMU does not look like one on a board.
		assert.equal(await matrix.getByRole("row").nth(2).locator(".badge.good").count(), 0);
		assert.equal(await page.locator("#class-vivt-qemu .badge.good").count(), 0);
		assert.match(await page.locator("#class-vivt-physical .tally").innerText(), /1 regressed.*1 conflict.*1 fixed.*1 known-failing.*1 skipped.*4 still-passing/s);
	});
});

test("compare: passing cells are folded, filters narrow, and the address keeps them", async () => {
	await visit(PAGES.compare, {}, async (page) => {
		const physical = page.locator("#class-vivt-physical");
		const cells = physical.locator("tr.cell th .mono");
		await cells.first().waitFor();
		assert.equal(await cells.count(), 6);
		await physical.getByRole("button", {name: "8 more cells, unchanged"}).click();
		assert.equal(await cells.count(), 14);
		const mapped = physical.getByRole("button", {name: "dio-read-mapped"});
		assert.equal(await mapped.getAttribute("aria-expanded"), "true");
		await mapped.press("Enter");
		assert.equal(await mapped.getAttribute("aria-expanded"), "false");
		assert.ok(await mapped.evaluate((button) => button === document.activeElement), "the focus stays on the button");

		await page.getByLabel("only changes").check();
		assert.equal(await physical.locator("tr.test").count(), 3);
		assert.match(await page.locator("#class-vivt-qemu").innerText(), /Nothing here passes the filter/);
		await page.getByLabel("test", {exact: true}).fill("MAPPED");
		assert.deepEqual(await physical.locator("tr.test th").allInnerTexts(), ["▸ dio-read-mapped 1 cell, 1 to look at"]);
		assert.match(page.url(), /job=1&changes=1&test=MAPPED$/);
		await page.reload();
		await physical.getByText("dio-read-mapped").waitFor();
		assert.equal(await physical.locator("tr.test").count(), 1);
	});
});

test("compare: how sure the numbers are", async () => {
	await visit(PAGES.compare, {}, async (page) => {
		const row = page.locator("#class-vivt-physical tr", {hasText: "conflict"}).first();
		await row.waitFor();
		assert.equal(await row.locator(".num").first().getAttribute("title"), "bad with 95 % confidence: 0.2 % to 19.5 %");
		assert.match(await row.innerText(), /at the new rate of 4 % it takes 74 clean trials to tell/);
	});
});

test("compare: what is known to fail is told, and is not red", async () => {
	await visit(PAGES.compare, {}, async (page) => {
		const row = page.locator("#class-vivt-physical tr.test", {hasText: "uprobe-xol"});
		await row.waitFor();
		assert.equal(await row.locator(".badge.bad").count(), 0);
		assert.match(await row.locator("td").first().innerText(), /known fail\s+2\/2/);
		assert.equal(await row.locator("td.change").getAttribute("title"), "known to fail: the slot is invalidated by the kernel's address");
		assert.match(await row.locator("td.change").innerText(), /known issue 7: the slot is invalidated by the kernel's address https:\/\/lists\.example\/7/);
		assert.match(await page.locator("table.matrix").innerText(), /2 known to fail/);
	});
});

test("compare: a study has a verdict, a cost and a sentence for each revision, and says where it is blind", async () => {
	for (const size of [SIZES.wide, SIZES.narrow]) {
		await visit(PAGES.study, {size}, async (page) => {
			await page.locator("#headline").getByText("not sensitive: a control passes").waitFor();
			const rows = await page.locator("table.matrix").getByRole("row").allInnerTexts();
			assert.match(rows[0], /no-flush\s+control: must fail/);
			assert.match(rows[1], /no-flush fails, as it must, dio-read-anon[^]*✗ bad\s+why of v1 <b>[^]*▲ costs\s+why of v2[^]*cost \+18\.4 % \(\+12 to \+25\.1 %\)[^]*✓ good\s+why of v3[^]*cost ~ \(−0\.4 to \+0\.4 %\)[^]*◎ fails as it must/);
			assert.match(rows[2], /not sensitive: no-flush passes what it must fail, dio-read-anon[^]*does not build[^]*⊘ not sensitive/);
			// Nothing of a blind class is green.
			assert.equal(await page.locator("table.matrix tbody tr").nth(1).locator(".badge.good").count(), 0);
			const ground = (where) => page.locator(where).first().evaluate((badge) => getComputedStyle(badge).backgroundColor);
			assert.equal(await ground("#class-vipt-aliasing-emulated .badge.good"), "rgba(0, 0, 0, 0)");
			assert.notEqual(await ground("#class-vivt-emulated .badge.good"), "rgba(0, 0, 0, 0)");
			const vivt = page.locator("#class-vivt-emulated");
			assert.match(await vivt.locator("td.change").innerText(), /F→F→P→P\s+fixed/);
			assert.equal(await vivt.locator("tr.test td").nth(4).locator(".badge.bad").count(), 0, "a control that fails is not red");
			const costs = vivt.locator("table.costs");
			assert.match(await costs.innerText(), /bench-dio-read\s+dio-read 4096\s+read on emu-1\s+1,004 ns\s+~ \(−0\.4 to \+0\.4 %\)\s+\+25 % \(−0\.4 to \+26 %\)/);
			assert.equal(await costs.locator("tbody tr").count(), 1);
			const more = vivt.getByRole("button", {name: "1 measured number without a difference"});
			await more.press("Enter");
			assert.equal(await costs.locator("tbody tr").count(), 2);
			await assertNoSideScroll(page);
			assert.doesNotMatch(await page.locator("body").textContent(), /[\u001b\u202e]/);
			assert.deepEqual(await page.evaluate(structureFaults), []);
		});
	}
});

test("compare: cells that all tell the same are folded into their test", async () => {
	await visit(PAGES.study, {}, async (page) => {
		const vivt = page.locator("#class-vivt-emulated");
		const head = vivt.locator("tr.test th");
		await head.waitFor();
		assert.match(await head.innerText(), /^▸ dio-read-anon\s+5 cells alike$/);
		assert.equal(await vivt.locator("tr.cell").count(), 0);
		await vivt.getByRole("button", {name: "dio-read-anon"}).press("Enter");
		assert.equal(await vivt.locator("tr.cell").count(), 5);
		const vipt = page.locator("#class-vipt-aliasing-emulated");
		assert.match(await vipt.locator("tr.test th").innerText(), /^▾ dio-read-anon\s+5 cells, 5 to look at$/);
		assert.equal(await vipt.locator("tr.cell th .mono").count(), 5);
	});
});

test("compare: Enter on a cell opens its evidence, Escape closes it and gives the focus back", async () => {
	await visit(PAGES.compare, {}, async (page) => {
		const cell = page.locator(`#class-vivt-physical [data-key="result-${failing().cells[0].result}"]`);
		const panel = page.locator("#panel");
		await cell.press("Enter");
		await panel.locator("figcaption", {hasText: "128 bad half-lines of 256, all odd"}).waitFor();
		assert.match(page.url(), new RegExp(`#result=${failing().cells[0].result}$`));
		assert.equal(await page.evaluate(() => document.activeElement.id), "panel-title");

		const text = await panel.innerText();
		for (const expected of [
			/✗ fail stale-user 23 bad of 25 trials/, /The user's own cache lines were not invalidated/,
			/u=dirty\s+user alias: dirty lines in the cache through the user's address/, /delta=0\s+same colour/,
			/V1 ✗ wrong[^]*V2 ✓ right[^]*V3 ✓ right/, /120 stale: older generation, right place/,
			/generation 8, page 3, half-line 1, writer kernel or device/, /generation 7, page 3, half-line 1, writer user/,
			/Page frame\s+31337/, /User colour\s+1\s/, /Kernel colour\s+2\s/, /PG_dcache_clean\)\s+clean → not clean/,
			/WARNING: CPU: 0 PID: 87 at mm\/util\.c:764/, /Log around it/,
		])
			assert.match(text, expected);
		assert.equal(await panel.locator(".mismatch").first().locator("rect.bad").count(), 128);
		assert.deepEqual(await panel.locator(".mismatch").first().locator("tbody").first().locator("tr").nth(1).locator("mark").allInnerTexts(), ["08", "4b", "f7", "88"]);
		// The same test on the other boards and builds, one of them a link to follow.
		assert.equal(await panel.getByRole("region", {name: "The same test in this job"}).locator("tbody tr").count(), 9);

		await page.keyboard.press("Escape");
		assert.equal(await panel.isVisible(), false);
		assert.ok(await cell.evaluate((link) => link === document.activeElement));
		assert.doesNotMatch(page.url(), /#/);
	});
});

test("compare: an address with #result opens the evidence, also at 400 px; back closes it", async () => {
	await visit(PAGES.compare, {size: SIZES.narrow}, async (page) => {
		await page.locator("#classes a.result").first().waitFor();
		await page.goto(PAGES.evidence);
		await page.locator("#panel").getByText("Wrong data").waitFor();
		await assertNoSideScroll(page);
		await page.goBack();
		await page.waitForFunction(() => document.getElementById("panel").hidden);
	});
});

test("compare: a result that is not there says so in the panel", async () => {
	await visit("/compare.html?job=1#result=999999", {}, async (page, opened) => {
		opened.expect(/404/);
		await page.locator("#panel").getByText("Error 404: no such results: 999999").waitFor();
	});
});

test("job: runs with stage and test, link to the comparison", async () => {
	await visit(PAGES.job, {}, async (page) => {
		await page.locator("#content").waitFor();
		const row = page.getByRole("region", {name: "Runs"}).getByRole("row").filter({hasText: "run 24"});
		assert.match(await row.innerText(), /run 24\s+v2\s+vipt-aliasing qemu\s+qemu-al\s+▸ running\s+3\/8\s+testing: mmap-write-read\s+✓ 3 pass/);
		assert.match(await page.title(), /^19\/32 · job 2/);
		assert.match(await page.locator("#facts").innerText(), /Repetitions\s+25\s+Iterations\s+5\s/);
		await page.getByRole("link", {name: "Compare the builds"}).click();
		await page.waitForURL(/compare\.html\?job=2$/);
		await page.locator("#content").waitFor();
	});
});

test("run: each attempt names its fault, in the farm's words and in plain ones", async () => {
	await visit(PAGES.run, {}, async (page) => {
		await page.locator("#content").waitFor();
		const rows = await page.getByRole("region", {name: "Attempts"}).getByRole("row").allInnerTexts();
		assert.equal(rows.length, 4);
		assert.match(rows[1], /farm fault ssh-lost the SSH connection was lost \(stage test\)/);
		assert.match(rows[3], /host-key-mismatch the board showed another SSH host key than the pinned one[^]*cohort board rekey n810/);
		assert.match(await page.locator("#board-facts").innerText(), /CPU: VIVT data cache, VIVT instruction cache/);
		assert.match(await page.locator("#events").innerText(), /WARNING: CPU: 0 PID: 87/);
		await page.locator(".log-lines li", {hasText: "line 29"}).waitFor();
		const results = await page.getByRole("region", {name: "Results"}).getByRole("row").allInnerTexts();
		assert.equal(results.length, 9);
		assert.match(results[8], /^jit-control info\s+∅ missing\s+–/);
		await page.getByRole("region", {name: "Results"}).getByRole("link", {name: "dio-read-anon"}).click();
		await page.locator("#panel h3", {hasText: "Facts"}).waitFor();
	});
});

test("board: facts, state with its reason, runs", async () => {
	await visit("/board.html?name=sheeva", {}, async (page) => {
		await page.locator("#content").waitFor();
		assert.match(await page.locator("#facts").innerText(), /Cache class\s+vivt[^]*SSH\s+root@127\.0\.0\.1:2201[^]*Pinned host key\s+ssh-ed25519/);
		assert.equal(await page.getByRole("region", {name: "Runs"}).locator("tbody tr").count(), 3);
	});
});

test("a thing that does not exist, and an address without a name", async () => {
	for (const [url, text] of [["/job.html?id=77", "Error 404: no such jobs: 77"], ["/board.html?name=%3Cb%3E", "Error 404: no such boards: <b>"]]) {
		await visit(url, {}, async (page, opened) => {
			opened.expect(/404/);
			await page.getByRole("alert").getByText(text).waitFor();
		});
	}
	for (const url of ["/job.html", "/run.html", "/board.html", "/compare.html"])
		await visit(url, {}, (page) => page.locator("#problem").getByText("home page").waitFor());
});

test("a server that wants a token for reading gets one", async () => {
	server.token = "sesame";
	await visit("/board.html?name=sheeva", {}, async (page, opened) => {
		opened.expect(/401/);
		await page.getByLabel("Token").fill("sesame");
		await page.keyboard.press("Enter");
		await page.locator("#content").waitFor();
	}).finally(() => {
		server.token = null;
	});
});

test("series: revisions, patches, builds that failed with their reason, and the difference of two revisions that are chosen", async () => {
	await visit("/series.html", {size: SIZES.wide}, async (page) => {
		await page.locator("#range-rows tr").nth(1).waitFor();
		const asked = await page.locator("#range-rows tr").allInnerTexts();
		assert.match(asked[0], /v6\.1\.\.topic\s+linux-6\.1[^]*failed[^]*has no commit topic/);
		assert.match(asked[1], /v6\.1\.\.flush[^]*done\s+flush-dcache v3/);
		await page.locator("#series-rows").getByRole("link", {name: "flush-dcache"}).click();
		await page.locator("#diff", {hasText: "from v2 to v3"}).waitFor();
		assert.equal(await page.locator("#revision-rows tr").count(), 3);
		assert.match(await page.locator("#build-rows").innerText(), /failed[\s\S]*apply: error: patch failed: arch\/arm\/mm\/flush\.c:17/);
		assert.equal(await page.locator("#job-rows tr").count(), 1);
		assert.equal(await page.locator("#diff .head").count(), 3);
		await page.locator("#diff-from").selectOption({label: "v1"});
		await page.locator("#diff", {hasText: "from v1 to v3"}).waitFor();
	});
});

test("schedules: the next five instants, what was skipped and why, what went out", async () => {
	await visit(PAGES.schedules, {}, async (page) => {
		await page.locator("#content").waitFor();
		const night = page.getByRole("region", {name: "night-vivt", exact: true});
		assert.deepEqual(await night.locator("ol li").allInnerTexts(), ["10", "11", "12", "13", "14"].map((day) => `2026-05-${day} 02:30 +0200`));
		const rows = await night.getByRole("row").allInnerTexts();
		assert.match(rows[1], /2026-05-09 02:30 \+0200\s+○ waiting\s+–\s+waits for job 2/);
		assert.match(rows[2], /2026-05-08 02:30 \+0200\s+✓ submitted\s+job 2/);
		assert.match(rows[3], /– skipped\s+–\s+job 1 of the instant before has not ended/);
		assert.match(rows[4], /and 3 before it\s+– skipped\s+–\s+missed: the farm was not there/);
		assert.match(await page.getByRole("region", {name: /^hostile/}).innerText(), /disabled[^]*\\e\[31mred<U\+202E>evil/);
		const out = await page.locator("#deliveries").getByRole("row").allInnerTexts();
		assert.match(out[1], /job-ended\s+ci\s+hook\s+○ queued\s+4\s+next try [^]*answered 500/);
		assert.match(out[2], /failed\s+2 answers lost\s+2[^]*it may have been taken/);
		assert.match(out[3], /✓ sent\s+1/);
		server.state.schedules[1].name = "night-vivt";
		server.state.deliveries[0].state = "sent";
		server.push("schedule", {schedule: "night-vivt", outcome: "submitted", why: "", count: 1});
		await page.locator("#deliveries").getByRole("row").nth(1).getByText("sent").waitFor();
	});
	await visit("/", {}, async (page) => {
		await page.getByRole("link", {name: "Schedules"}).click();
		await page.waitForURL(/schedules\.html$/);
	});
});

test("job: kernels that the farm makes, with their state, progress and why one failed", async () => {
	const job = server.state.jobs.find((one) => one.id === 2);
	const kept = structuredClone(job);

	job.builds = [
		{column: 0, id: 71, name: "linux-6.1-base-v5", release: null, state: "building", failure: null, cache: "vivt", run: 91},
		{column: 1, id: 72, name: "linux-6.1-v1-v5", release: null, state: "failed", failure: {step: "apply", text: `error: patch failed: arch/arm/mm/flush.c:17 ${data.HOSTILE}`, patch: 2}, cache: "vivt", run: 92},
		{column: 2, id: 73, name: "linux-6.1-v2-v5", release: null, state: "waiting", failure: null, cache: "vivt", run: 93},
	];
	job.runs = job.runs?.map((run) => (run.state === "queued" ? {...run, stage: "build"} : run));
	await visit("/job.html?id=2", {size: SIZES.wide}, async (page) => {
		await page.locator("#build-rows tr").nth(2).waitFor();
		await page.locator("#connection[data-state=live]").waitFor();
		server.push("progress", {job: 2, run: 91, stage: "test", what: "make", done: 600, total: 1600});
		await page.locator("#build-rows tr").first().getByText("600/1,600").waitFor();
		assert.match(await page.locator("#build-rows tr").nth(1).innerText(), /failed[\s\S]*apply: error: patch failed/);
		assert.match(await page.locator("#build-rows tr").nth(2).innerText(), /waiting/);
		assert.ok((await page.getByText("waits for its kernel").count()) > 0);
	});
	Object.assign(job, kept);
});
