// The verdict at a glance: how often we are faster or slower than the fastest other allocator, or than a chosen one, and by how
// much.
import { errorBars, figure, logarithmic, rows } from "./charts.js";
import { element, folded, nothing, table } from "./dom.js";
import * as format from "./format.js";
import { geometricMean, headToHead, judged, peersOf, surfaces, verdicts } from "./model.js";
import { colour } from "./theme.js";

const rowHeight = 22;

export function verdictSection(view) {
    const results = judged(view);
    if (!results.length)
        return [nothing("Nothing to compare: no workload that is shown was finished by both alloc and another allocator.")];
    return [
        element("p", { id: "whom" }, `${surfaces(view)[0]} against ${whom(view)}, in ${results.length} workloads:`),
        tiles(results),
        overview(view),
        element("p", {}, `Time of ${surfaces(view).join(", or where that was not measured of ")}, as a ratio to that of ` +
            `${view.against || "the fastest other allocator that is shown"}: left of 1, it is faster. A verdict is claimed only ` +
            "where the whole confidence interval, drawn as a bar, lies on one side of 1."),
        legend(),
        element("div", { class: "chart" }, chart(view, results)),
        folded("Table of the verdict", details(results)),
    ];
}

const whom = (view) => view.against || (peersOf(view).length > 1 ? `the fastest of ${listed(peersOf(view))}` : peersOf(view)[0]);

const listed = (names) => `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;

function tiles(results) {
    const count = (verdict) => results.filter((result) => result.verdict === verdict).length;
    const tile = (verdict, text, ...number) => element("li", { class: verdict }, element("strong", {}, ...number), text);
    const named = (verdict) => tile(verdict, verdicts[verdict].text,
        element("span", { class: `verdict ${verdict}` }, verdicts[verdict].sign), ` ${count(verdict)}`);
    return element("ul", { class: "tiles" }, named("faster"), named("slower"), named("even"),
        tile("", "of its time, the geometric mean", format.ratio(geometricMean(results.map((result) => result.ratio[0])))));
}

// A row for each of the others: a click makes the verdict one against it. By the second surface who cannot change a program chooses.
function overview(view) {
    const rivals = peersOf(view).length > 1 ? ["", ...peersOf(view)] : peersOf(view);
    const columns = [{ title: "against", text: true },
        ...surfaces(view).flatMap((name) => [{ title: `time of ${name}` }, { title: "worst" }, { title: `above ${view.data.limit}` },
            { title: "memory" }])];
    const cells = (numbers) => numbers === null ? ["-", "-", "-", "-"] : [
        format.ratio(numbers.time), worst(numbers), `${numbers.above} of ${numbers.count}`,
        numbers.memory === null ? "-" : format.ratio(numbers.memory)];
    return element("div", { id: "overview" },
        table("Over all workloads, geometric means of ratios", columns, rivals.map((against) => [
            chooser(view, against), ...surfaces(view).flatMap((name) => cells(headToHead(view, name, against)))])),
        element("p", { class: "muted" }, "Ratios of time and of peak memory, geometric means over all workloads that are shown and " +
            "that both finished: below 1, alloc is faster, or smaller. The first row takes the best of the others in each workload anew."));
}

const worst = ({ worst: { ratio, workload } }) => element("span", { title: workload.name }, format.ratio(ratio[0]));

function chooser(view, against) {
    const button = element("button", { type: "button", "aria-pressed": String(view.against === against), value: against },
        against || "the best of them");
    button.addEventListener("click", () => view.choose({ against }));
    return button;
}

function legend() {
    return element("ul", { class: "legend" }, ...Object.keys(verdicts).map((name) =>
        element("li", {}, sign(name))));
}

function sign(verdict) {
    return element("span", { class: `verdict ${verdict}` }, `${verdicts[verdict].sign} ${verdicts[verdict].text}`);
}

function chart(view, results) {
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
        caption: `Ratio of time to ${view.against || "the fastest other allocator"}, by workload; logarithmic`,
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
        { title: "against", text: true }, { title: "its time" }, { title: "ratio" }, { title: "interval" },
        { title: "verdict", text: true }];
    return table("Ratio of time, by workload", columns, results.map(({ workload, surface, peer, ratio, verdict }) => [
        workload.name, surface, format.time(workload.results[surface].time[0]), peer, format.time(workload.results[peer].time[0]),
        format.ratio(ratio[0]), format.range(ratio, format.ratio), sign(verdict),
    ]));
}
