// Opens the page in headless Chromium, with results made up by make_results.py, and looks at what a reader would.
//
// Environment: BUILD_DIR, where the page was bundled; PYTHON; CHROMIUM; ARTIFACTS, where results and screenshots go.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const { BUILD_DIR, PYTHON, CHROMIUM, ARTIFACTS } = process.env;
const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(join(BUILD_DIR, "bench/dashboard/package.json"))("playwright-core");
const patience = 120_000; // milliseconds; the machine may be busy with other tests
const desktop = { width: 1200, height: 900 };
const allocators = ["alloc", "alloc_malloc", "system", "jemalloc", "mimalloc", "tcmalloc"];

let browser;
const results = {}; // folder name to merged results

function makePage(name, ...options) {
    const folder = join(ARTIFACTS, name);
    mkdirSync(folder, { recursive: true });
    execFileSync(PYTHON, ["-B", join(here, "make_results.py"), folder, ...options]);
    execFileSync(PYTHON, ["-B", join(here, "../../run.py"), "--build-dir", BUILD_DIR, "--output", folder, "--report-only"],
        { stdio: "ignore" });
    results[name] = JSON.parse(readFileSync(join(folder, "results.json"), "utf8"));
}

before(async () => {
    makePage("quiet");
    makePage("noisy", "--noisy");
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
});
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
after(() => browser?.close());

// The page, with everything it complains about or asks for beside its own file.
async function open(name = "quiet", options = {}) {
    const context = await browser.newContext({ viewport: desktop, ...options });
    context.setDefaultTimeout(patience);
    const page = await context.newPage();
    const complaints = [];
    const url = pathToFileURL(join(ARTIFACTS, name, "dashboard.html")).href;
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => request.url() !== url && !/^(data|blob):/.test(request.url()) &&
        complaints.push(`asked for ${request.url()}`));
    await page.goto(url);
    return { page, complaints };
}

const text = (page, selector) => page.locator(selector).allTextContents();
const column = (page, section, number) => text(page, `#${section} details tbody tr > :nth-child(${number})`);
const figures = (page, section = "") => page.locator(`${section} figure canvas`);

// How many pixels of a canvas have exactly each of these colours. All are counted at once: Chromium warns of a canvas
// that is read again and again.
function pixels(canvas, ...variables) {
    return canvas.evaluate((element, names) => {
        const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height);
        const count = new Map();
        for (let at = 0; at < data.length; at += 4) {
            const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
            count.set(colour, (count.get(colour) ?? 0) + 1);
        }
        const style = getComputedStyle(document.documentElement);
        return names.map((name) => count.get(parseInt(style.getPropertyValue(name).trim().slice(1), 16)) ?? 0);
    }, variables);
}

// The least median time of an allocator at each workload, straight from the measurements.
function medians(name) {
    const times = {};
    for (const entry of results[name].benchmarks) {
        const workload = entry.name.replace(/\/(iterations:\d+|real_time)/g, "");
        ((times[workload] ??= {})[entry.allocator] ??= []).push(1e9 / entry.items_per_second);
    }
    for (const row of Object.values(times))
        for (const [allocator, runs] of Object.entries(row))
            row[allocator] = runs.sort((a, b) => a - b)[(runs.length - 1) / 2];
    return times;
}

test("every chart is drawn, with every allocator in it, and nothing is complained about or fetched", async () => {
    const { page, complaints } = await open();
    const groups = new Set(results.quiet.benchmarks.map((entry) => entry.name.split("/")[0])).size;
    assert.equal(await page.locator("#cost h3").count(), groups);
    assert.equal(await figures(page, "#verdict").count(), 1);
    assert.equal(await figures(page, "#cost").count(), 2 * groups);
    assert.equal(await figures(page, "#threads").count(), 9);
    assert.equal(await figures(page, "#size").count(), 6);
    assert.equal(await figures(page, "#history").count(), 1);
    const verdict = await pixels(figures(page, "#verdict").first(), "--faster", "--slower", "--even");
    assert.ok(verdict.every((count) => count > 100), `pixels of each verdict: ${verdict}`);
    for (const section of ["#cost", "#threads", "#size"])
        for (const canvas of await figures(page, section).all()) {
            const label = await canvas.getAttribute("aria-label");
            const shown = label.includes(" program,") ? [2, 3, 4, 5] : [0, 2, 3, 4, 5]; // crosses are too thin
            const counts = await pixels(canvas, ...shown.map((series) => `--series-${series}`));
            assert.ok(counts.every((count) => count > 5), `${counts}: ${label}`);
        }
    assert.ok((await pixels(figures(page, "#history").first(), "--series-0"))[0] > 100);
    assert.deepEqual(complaints, []);
});

test("the verdict is that of the measurements, losses included", async () => {
    const { page } = await open();
    const times = medians("quiet");
    const names = await column(page, "verdict", 1);
    const [surfaces, peers, ratios, verdicts] = await Promise.all([2, 4, 6, 8].map((at) => column(page, "verdict", at)));
    assert.deepEqual([...names].sort(), Object.keys(times).sort());
    names.forEach((name, row) => {
        const { alloc, alloc_malloc: dropIn, ...others } = times[name];
        const best = Math.min(...Object.values(others)), ours = alloc ?? dropIn;
        assert.equal(surfaces[row], name.startsWith("program/") ? "alloc_malloc" : "alloc", name);
        assert.equal(others[peers[row]], best, name);
        assert.equal(ratios[row], (ours / best).toFixed(2), name);
        assert.ok(!verdicts[row].includes("faster") || ours < best, name);
        assert.ok(!verdicts[row].includes("slower") || ours > best, name);
    });
    const tiles = await text(page, ".tiles li");
    for (const [tile, sign, word] of [[0, "▲", "faster"], [1, "▼", "slower"], [2, "●", "no clear difference"]]) {
        const count = verdicts.filter((verdict) => verdict === `${sign} ${word}`).length;
        assert.ok(count > 3, word);
        assert.equal(tiles[tile], `${sign} ${count}${word}`);
    }
    const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
    assert.ok(Math.abs(parseFloat(tiles[3]) - mean) < 0.02, tiles[3]);
});

const geometricMean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

test("each surface of the library is held against the best of the others, and against each", async () => {
    const { page } = await open();
    const rows = await page.locator("#overview tbody tr").all();
    const cells = await Promise.all(rows.map((row) => row.locator("th, td").allTextContents()));
    const peers = allocators.filter((name) => !name.startsWith("alloc"));
    assert.deepEqual(cells.map(([name]) => name), ["the best of them", ...peers]);
    const times = Object.values(medians("quiet"));
    cells.forEach(([name, ...numbers], row) => ["alloc", "alloc_malloc"].forEach((surface, index) => {
        const ratios = times.map(({ alloc, alloc_malloc: dropIn, ...others }) =>
            (surface === "alloc" ? alloc : dropIn) / (row === 0 ? Math.min(...Object.values(others)) : others[name]))
            .filter((ratio) => ratio > 0);
        const [mean, worst, above, memory] = numbers.slice(4 * index, 4 * index + 4);
        assert.equal(mean, geometricMean(ratios).toFixed(2), name);
        assert.equal(worst, Math.max(...ratios).toFixed(2), name);
        assert.equal(above, `${ratios.filter((ratio) => ratio > 1.05).length} of ${ratios.length}`, name);
        assert.ok(memory > 0.8 && memory < 1.25, `${name}: ${memory}`);
    }));
    await page.uncheck("#filters input[value=alloc]");
    assert.deepEqual([...new Set(await column(page, "verdict", 2))], ["alloc_malloc"]);
    assert.equal(await page.locator("#overview thead th").count(), 5);
});

test("one click makes the verdict one against a single allocator, and the page says against whom", async () => {
    const { page, complaints } = await open();
    assert.match(await page.textContent("#whom"), /^alloc against the fastest of system, jemalloc, mimalloc and tcmalloc, in \d+ workloads:$/);
    await page.click("#overview button[value=mimalloc]");
    assert.match(await page.textContent("#whom"), /^alloc against mimalloc, in \d+ workloads:$/);
    assert.deepEqual([...new Set(await column(page, "verdict", 4))], ["mimalloc"]);
    const [names, ratios, times] = [await column(page, "verdict", 1), await column(page, "verdict", 6), medians("quiet")];
    names.forEach((name, row) => {
        const { alloc, alloc_malloc: dropIn, mimalloc } = times[name];
        assert.equal(ratios[row], ((alloc ?? dropIn) / mimalloc).toFixed(2), name);
    });
    assert.equal(await page.evaluate(() => document.activeElement.value), "mimalloc", "the keyboard stays where it was");
    await page.uncheck("#filters input[value=mimalloc]");
    assert.match(await page.textContent("#whom"), /^alloc against the fastest of system, jemalloc and tcmalloc,/);
    assert.deepEqual(complaints, []);
});

test("the address has the view: who opens it sees the same", async () => {
    const { page, complaints } = await open();
    await page.selectOption("#filter-group", "batch");
    await page.fill("#filter-text", "fifo");
    await page.click("#overview button[value=jemalloc]");
    await page.selectOption("#filter-beside", "page_faults");
    await page.uncheck("#filters input[value=tcmalloc]");
    await page.waitForFunction(() => location.search.includes("text=fifo"));
    const seen = () => Promise.all([text(page, "#whom"), column(page, "verdict", 1), column(page, "verdict", 6), text(page, "figcaption")]);
    const before = await seen();
    await page.goto(`${page.url()}#cost`);
    await page.reload();
    assert.deepEqual(await seen(), before);
    assert.equal(await page.inputValue("#filter-text"), "fifo");
    assert.equal(await page.isChecked("#filters input[value=tcmalloc]"), false);
    assert.match(page.url(), /#cost$/);
    assert.deepEqual(complaints.filter((line) => !line.startsWith("asked for")), []);
});

test("every group says what it does, where it stands", async () => {
    const { page } = await open();
    for (const [group, start] of [["batch", "A batch of 32-byte objects"], ["list_walk", "A linked list"], ["program", "Real programs"]])
        assert.ok((await page.locator(`#cost h3:text-is("${group}") + p`).textContent()).startsWith(start), group);
    assert.ok((await text(page, "#size h3, #threads h3")).every((title) => !title.includes("×")));
});

test("under every chart there is a table", async () => {
    const { page } = await open();
    for (const canvas of await figures(page).all()) {
        const described = await canvas.getAttribute("aria-label");
        assert.ok(await canvas.evaluate((element) => {
            for (let at = element.closest("figure"); at && !at.matches("section"); at = at.parentElement)
                if (at.nextElementSibling?.matches("details") && at.nextElementSibling.querySelectorAll("tbody tr").length)
                    return true;
            return false;
        }), described);
    }
    const details = page.locator("#cost details").first();
    assert.equal(await details.locator("table").isVisible(), false);
    await details.locator("summary").focus();
    await page.keyboard.press("Enter");
    assert.equal(await details.locator("table").isVisible(), true);
    const heading = (await details.locator("thead").textContent());
    for (const title of ["time", "peak memory", "final rss", "page faults"])
        assert.ok(heading.includes(title), title);
});

test("filters choose workloads", async () => {
    const { page, complaints } = await open();
    await page.fill("#filter-text", "churn/500");
    await page.waitForFunction(() => document.querySelectorAll("#verdict details tbody tr").length === 1);
    assert.deepEqual(await column(page, "verdict", 1), ["churn/500000/threads:1"]);
    assert.deepEqual(await text(page, "#cost h3"), ["churn"]);
    assert.match((await text(page, "#threads .content"))[0], /No workload/);

    await page.fill("#filter-text", "");
    await page.selectOption("#filter-group", "list_walk");
    await page.waitForFunction(() => document.querySelectorAll("#verdict details tbody tr").length === 4);
    await page.selectOption("#filter-threads", "2");
    assert.deepEqual((await column(page, "verdict", 1)).sort(), ["list_walk/aged/threads:2", "list_walk/fresh/threads:2"]);

    await page.fill("#filter-text", "no such workload");
    await page.waitForFunction(() => document.querySelectorAll("figure canvas").length === 1); // the history of all
    assert.match((await text(page, "#verdict .content"))[0], /Nothing to compare/);
    assert.deepEqual(complaints, []);
});

test("what stands beside the time can be chosen", async () => {
    const { page, complaints } = await open();
    const beside = page.locator("#cost .pair > :last-child figcaption");
    const count = await beside.count();
    await page.selectOption("#filter-beside", "page_faults");
    assert.deepEqual([...new Set(await beside.allTextContents())], ["page faults"]);
    assert.equal(await beside.count(), count);
    assert.ok((await pixels(page.locator("#cost .pair > :last-child canvas").first(), "--series-0"))[0] > 5);
    assert.deepEqual(complaints, []);
});

test("filters choose allocators, and the verdict is against those that are shown", async () => {
    const { page, complaints } = await open();
    const times = medians("quiet");
    for (const name of ["jemalloc", "mimalloc", "tcmalloc"])
        await page.uncheck(`#filters input[value=${name}]`);
    assert.deepEqual(await text(page, "#cost .legend li"), ["alloc", "alloc_malloc", "system"]);
    assert.deepEqual([...new Set(await column(page, "verdict", 4))], ["system"]);
    const shown = await column(page, "verdict", 1);
    assert.equal(shown.includes("large/64KiB_to_32MiB/threads:16"), false, "which system failed");
    const ratios = await column(page, "verdict", 6);
    shown.forEach((name, row) => {
        const { alloc, alloc_malloc: dropIn, system } = times[name];
        assert.equal(ratios[row], ((alloc ?? dropIn) / system).toFixed(2), name);
    });
    assert.deepEqual(await pixels(figures(page, "#threads").first(), "--series-3"), [0]);
    await page.uncheck("#filters input[value=system]");
    assert.match((await text(page, "#verdict .content"))[0], /Nothing to compare/);
    assert.deepEqual(complaints, []);
});

test("history names the commits, oldest first", async () => {
    const { page } = await open();
    const commits = ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee", "ffffffff"];
    assert.deepEqual(await column(page, "history", 1), commits);
    assert.deepEqual((await column(page, "history", 3))[5], "Change number 6");
    const index = (await column(page, "history", 4)).map(Number);
    assert.equal(index[0], 1);
    assert.ok(index[5] < 0.85, "made to be faster");
    await page.selectOption("#history-workload", "program/python3");
    assert.match((await column(page, "history", 4))[0], / s$/);
    await page.selectOption("#history-measure", "memory");
    assert.match((await column(page, "history", 4))[0], / MiB$/);
    assert.ok((await pixels(figures(page, "#history").first(), "--series-0"))[0] > 100);
});

test("the machine, every version and what failed are told", async () => {
    const { page } = await open();
    const told = (await text(page, "#machine tr")).join("\n");
    for (const part of ["An imaginary processor, 4 processors", "GNU 12.2.0", "f".repeat(40), "chart.js 4", "SIGKILL",
        ...allocators.map((name) => `/usr/lib/${name}.so`)])
        assert.ok(told.includes(part), part);
});

test("the raw data can be downloaded", async () => {
    const { page } = await open();
    async function download(name) {
        const [file] = await Promise.all([page.waitForEvent("download"), page.click(`a[download="${name}"]`)]);
        return JSON.parse(readFileSync(await file.path(), "utf8"));
    }
    assert.deepEqual(await download("results.json"), results.quiet);
    const own = await download("mimalloc.json");
    assert.equal(own.benchmarks.length, results.quiet.benchmarks.filter((entry) => entry.allocator === "mimalloc").length);
    assert.ok(own.benchmarks.every((entry) => entry.allocator === "mimalloc"));
});

test("everything can be reached and read by keyboard", async () => {
    const { page } = await open();
    const reached = [];
    for (let presses = 0; presses < 36; presses++) {
        await page.keyboard.press("Tab");
        reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.value ||
            document.activeElement.getAttribute("href") || document.activeElement.tagName));
    }
    for (const stop of ["#verdict", "#data", "filter-text", "filter-group", "filter-threads", ...allocators, "CANVAS", "SUMMARY"])
        assert.ok(reached.includes(stop), `${stop} of ${reached}`);

    await figures(page, "#verdict").first().focus();
    await page.keyboard.press("ArrowDown");
    const first = await page.textContent("#announce");
    assert.match(first, /threads:\d+, alloc 0\.\d\d \(.* of \w+: faster/);
    await page.keyboard.press("ArrowDown");
    assert.notEqual(await page.textContent("#announce"), first);
    await page.keyboard.press("ArrowUp");
    assert.equal(await page.textContent("#announce"), first);
    await page.keyboard.press("Escape");
    assert.equal(await page.textContent("#announce"), "");
    await page.keyboard.press("ArrowUp"); // to a point at the bottom, which is out of sight
    assert.match(await page.textContent("#announce"), /slower|no clear difference/);
    const bottom = (await figures(page, "#verdict").first().boundingBox());
    assert.ok(bottom.y + bottom.height < desktop.height + 100, "the chart was scrolled");
});

test("a noisy run says so, and a quiet one does not", async () => {
    const noisy = (await open("noisy")).page;
    assert.equal(await noisy.isVisible("#noise"), true);
    assert.match(await noisy.textContent("#noise"), /too noisy/);
    assert.equal(await (await open()).page.isVisible("#noise"), false);
});

test("intervals are drawn: without them, charts have less ink", async () => {
    const folder = join(ARTIFACTS, "certain");
    mkdirSync(folder, { recursive: true });
    const html = readFileSync(join(ARTIFACTS, "noisy", "dashboard.html"), "utf8");
    const estimate = /\[(\d[\d.]*),\d[\d.]*,\d[\d.]*\]/g;
    writeFileSync(join(folder, "dashboard.html"), html.replace(estimate, "[$1,$1,$1]"));
    const sharp = { deviceScaleFactor: 2 }; // thin lines have pixels of their exact colour
    const [noisy, certain] = [(await open("noisy", sharp)).page, (await open("certain", sharp)).page];
    for (const page of [noisy, certain])
        await page.selectOption("#history-workload", "server/threads:16");
    const colours = ["--series-0", "--series-2", "--series-3", "--series-4", "--faster", "--slower", "--even"];
    const ink = async (page, kind) => {
        const counts = await Promise.all((await figures(page, kind).all()).map((canvas) => pixels(canvas, ...colours)));
        return counts.flat().reduce((sum, count) => sum + count, 0);
    };
    for (const kind of ["#verdict", "#cost .pair > :first-child", "#cost .pair > :last-child", "#threads", "#size", "#history"]) {
        const [less, more] = [await ink(certain, kind), await ink(noisy, kind)];
        assert.ok(more > 1.05 * less, `${kind}: ${more} of ${less}`);
    }
});

// Of two colours, by the definition of the Web Content Accessibility Guidelines.
function contrast(one, other) {
    const luminance = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
}

for (const colorScheme of ["light", "dark"])
    test(`colours can be told from the ${colorScheme} page, and charts follow when the scheme changes`, async () => {
        const { page, complaints } = await open("quiet", { colorScheme: colorScheme === "light" ? "dark" : "light" });
        await page.emulateMedia({ colorScheme });
        const value = (name) => page.evaluate((key) =>
            getComputedStyle(document.documentElement).getPropertyValue(key).trim(), name);
        const [paper, panel] = [await value("--paper"), await value("--panel")];
        assert.ok((contrast(paper, "#ffffff") < 1.1) === (colorScheme === "light"));
        for (const name of ["--ink", "--muted", "--link", "--faster", "--slower", "--even"])
            assert.ok(contrast(await value(name), paper) >= 4.5 && contrast(await value(name), panel) >= 4.5, name);
        for (let series = 0; series < 8; series++)
            assert.ok(contrast(await value(`--series-${series}`), paper) >= 3, `series ${series}`);
        assert.ok((await pixels(figures(page, "#history").first(), "--series-0"))[0] > 100);
        await page.screenshot({ path: join(ARTIFACTS, `${colorScheme}.png`), fullPage: true });
        assert.ok(existsSync(join(ARTIFACTS, `${colorScheme}.png`)));
        assert.deepEqual(complaints, []);
    });

test("on a phone nothing is wider than the screen", async () => {
    const { page, complaints } = await open("quiet", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    for (const canvas of await figures(page).all()) {
        const box = await canvas.boundingBox();
        assert.ok(box.width > 300 && box.x + box.width <= 390, await canvas.getAttribute("aria-label"));
    }
    const top = async (selector) => (await page.locator(selector).boundingBox()).y;
    assert.ok(await top("#whom") < 844, "the verdict is on the first screen");
    assert.ok(await top("#filters") > await top("#verdict") && await top("#filters") < await top("#cost"), "then the filters");
    await page.locator("#verdict summary").tap();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "with a table open");
    await page.screenshot({ path: join(ARTIFACTS, "phone.png"), fullPage: true });
    assert.deepEqual(complaints, []);
});
