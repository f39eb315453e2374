// The verdict at a glance: how often we are faster or slower than the fastest other allocator, and by how much.
import { errorBars, figure, logarithmic, rows } from "./charts.js";
import { element, folded, nothing, table } from "./dom.js";
import * as format from "./format.js";
import { geometricMean, isOurs, judged, overall, surfaces, verdicts } from "./model.js";
import { colour } from "./theme.js";

const rowHeight = 22;

export function verdictSection(view) {
    const results = judged(view);
    if (!results.length)
        return [nothing("Nothing to compare: no workload that is shown was finished by both alloc and another allocator.")];
    return [
        tiles(results),
        summary(view),
        element("p", {}, `Time of ${surfaces(view).join(", or where that was not measured of ")}, as a ratio to that of the ` +
            "fastest other allocator that is shown: left of 1, it is faster. A verdict is claimed only where the whole " +
            "confidence interval, drawn as a bar, lies on one side of 1."),
        legend(),
        element("div", { class: "chart" }, chart(results)),
        folded("Table of the verdict", details(results)),
    ];
}

function tiles(results) {
    const count = (verdict) => results.filter((result) => result.verdict === verdict).length;
    const tile = (verdict, text, ...number) => element("li", { class: verdict }, element("strong", {}, ...number), text);
    const named = (verdict) => tile(verdict, verdicts[verdict].text,
        element("span", { class: `verdict ${verdict}` }, verdicts[verdict].sign), ` ${count(verdict)}`);
    return element("ul", { class: "tiles" }, named("faster"), named("slower"), named("even"),
        tile("", "geometric mean of the ratios", format.ratio(geometricMean(results.map((result) => result.ratio[0])))));
}

// By which who cannot change a program chooses: the drop-in has a row of its own.
function summary(view) {
    const peers = view.allocators.filter((name) => !isOurs(name, view.ours));
    const memory = ({ memory: means }, name) => (name in means ? format.bytes(means[name]) : "-");
    const columns = [{ title: "over all workloads", text: true }, { title: "workloads" }, { title: "ratio of time" },
        { title: "worst" }, { title: "at", text: true }, { title: `above ${view.data.limit}` }, { title: "peak memory" },
        ...peers.map((name) => ({ title: `of ${name}` }))];
    return element("div", { id: "overall" }, table("Over all workloads, geometric means", columns, overall(view).map((row) => [
        row.surface, String(row.count), format.ratio(row.time), format.ratio(row.worst.ratio[0]), row.worst.workload.name,
        String(row.above), memory(row, row.surface), ...peers.map((name) => memory(row, name)),
    ])));
}

function legend() {
    return element("ul", { class: "legend" }, ...Object.keys(verdicts).map((name) =>
        element("li", {}, sign(name))));
}

function sign(verdict) {
    return element("span", { class: `verdict ${verdict}` }, `${verdicts[verdict].sign} ${verdicts[verdict].text}`);
}

function chart(results) {
    const dataset = (name) => ({
        label: verdicts[name].text,
        data: results.flatMap(({ workload, surface, peer, ratio, verdict }, y) => verdict !== name ? [] : [{
            x: ratio[0], xMin: ratio[1], xMax: ratio[2], y,
            text: `${workload.name}\n${surface} ${format.ratio(ratio[0])} (${format.range(ratio, format.ratio)}) of ${peer}: ` +
                verdicts[name].text,
        }]),
        backgroundColor: colour(name), borderColor: colour(name),
        pointStyle: verdicts[name].point, rotation: verdicts[name].turn, radius: 5, hoverRadius: 7,
        ...errorBars(colour(name)),
    });
    const values = results.flatMap(({ ratio }) => ratio).concat(1);
    return figure({
        caption: "Ratio of time to the fastest other allocator, by workload; logarithmic",
        description: `Ratios of ${results.length} workloads, from ${format.ratio(results[0].ratio[0])} to ` +
            `${format.ratio(results[results.length - 1].ratio[0])}. The table below has all of them.`,
        height: results.length * rowHeight + 72,
        configuration: (width) => ({
            datasets: Object.keys(verdicts).map(dataset),
            scales: {
                ...bothEnds(withOne(logarithmic({ values, format: format.short(format.ratio), least: 3, most: width < 480 ? 8 : 16 }))),
                y: rows(results.map(({ workload }) => format.label(workload)), width, false),
            },
        }),
    });
}

// The line that parts gains and losses.
function withOne(scale) {
    const line = (context) => context.tick?.value === 1;
    return { ...scale, grid: {
        color: (context) => colour(line(context) ? "ink" : "line"),
        lineWidth: (context) => (line(context) ? 2 : 1),
    } };
}

// The chart is long: its axis is at the top and at the bottom.
function bothEnds(scale) {
    return { x: { ...scale, position: "top" }, bottom: { ...scale, axis: "x", position: "bottom" } };
}

function details(results) {
    const columns = [{ title: "workload", text: true }, { title: "ours", text: true }, { title: "its time" },
        { title: "best other", text: true }, { title: "its time" }, { title: "ratio" }, { title: "interval" },
        { title: "verdict", text: true }];
    return table("Ratio to the best other allocator", columns, results.map(({ workload, surface, peer, ratio, verdict }) => [
        workload.name, surface, format.time(workload.results[surface].time[0]), peer, format.time(workload.results[peer].time[0]),
        format.ratio(ratio[0]), format.range(ratio, format.ratio), sign(verdict),
    ]));
}
