// Time per operation, and beside it peak resident memory, or a counter, of every allocator; a panel for each group of
// workloads.
import { dataset, figure, logarithmic, rows } from "./charts.js";
import { element, folded, nothing, table } from "./dom.js";
import * as format from "./format.js";
import { legend } from "./legend.js";
import { groupBy } from "./model.js";

const lane = 8; // pixels an allocator's point has in a workload's row

export function costSection(view) {
    if (!view.workloads.length || !view.allocators.length)
        return [nothing("No workload and allocator that was measured is left by the filters.")];
    const beside = view.beside ? counterMeasure(view.beside) : measures.memory;
    const panels = [...groupBy(view.workloads, (workload) => workload.group)].flatMap(([group, workloads]) => [
        element("h3", {}, group),
        view.data.groups[group] ? element("p", {}, view.data.groups[group]) : null,
        element("div", { class: "charts pair" },
            element("div", { class: "chart" }, chart(view, group, workloads, measures.time)),
            element("div", { class: "chart" }, chart(view, group, workloads, beside))),
        folded(`Table of ${group}`, details(view, group, workloads)),
    ].filter(Boolean));
    return [
        element("p", {}, "Medians with confidence intervals, further left is better. Time is per operation; peak memory " +
            "is the most that was resident, without the benchmark's own arrays. Axes are logarithmic. What stands beside the " +
            "time can be chosen above; the tables have everything."),
        legend(view),
        ...panels,
    ];
}

const measures = {
    time: { title: "Time per operation", of: (result) => result.time, format: format.time, base: 10 },
    memory: { title: "Peak resident memory", of: (result) => result.memory, format: format.bytes, base: 2 },
};

// What a benchmark counted. Its repetitions have a median and no interval.
const counterMeasure = (name) => ({
    title: format.counterTitle(name), base: format.isBytes(name) ? 2 : 10, format: (value) => format.counter(name, value),
    of: ({ counters }) => Array(3).fill(counters[name] ?? 0),
});

function chart(view, group, workloads, measure) {
    const labels = workloads.map((workload) => format.label(workload, group));
    const height = Math.max(3, view.allocators.length) * lane;
    const points = (name, index) => workloads.flatMap((workload, row) => {
        const [median, low, high] = workload.results[name] ? measure.of(workload.results[name]) : [0];
        return median > 0 ? [{
            x: median, xMin: low, xMax: high, y: row + (index - (view.allocators.length - 1) / 2) * lane / (height + lane),
            text: `${workload.name}\n${name}: ${measure.format(median)} (${format.range([median, low, high], measure.format)})`,
        }] : [];
    });
    const datasets = () => view.allocators.map((name, index) =>
        dataset(name, points(name, index), Object.keys(view.data.context.allocators)));
    const values = view.allocators.flatMap((name, index) => points(name, index).flatMap(({ xMin, xMax }) => [xMin, xMax]));
    if (!values.length)
        return nothing(`${measure.title}: none above 0.`);
    return figure({
        caption: measure.title,
        description: `${measure.title} of ${group}, by workload and allocator. The table below has all values.`,
        height: labels.length * (height + lane) + 56,
        configuration: (width) => ({
            datasets: datasets(),
            scales: {
                x: logarithmic({ values, format: format.short(measure.format), base: measure.base,
                    most: width < 480 ? 4 : 6 }),
                y: rows(labels, width, true),
            },
        }),
    });
}

function details(view, group, workloads) {
    const rowsOf = workloads.flatMap((workload) =>
        view.allocators.filter((name) => workload.results[name]).map((name) => ({ workload, name, ...workload.results[name] })));
    const counters = [...new Set(rowsOf.flatMap((row) => Object.keys(row.counters)))].sort();
    const columns = [{ title: "workload", text: true }, { title: "allocator", text: true }, { title: "time" },
        { title: "interval" }, { title: "peak memory" }, { title: "interval" },
        ...counters.map((name) => ({ title: format.counterTitle(name) }))];
    return table(`Time and memory of ${group}`, columns, rowsOf.map((row) => [
        row.workload.name, row.name, format.time(row.time[0]), format.range(row.time, format.time),
        format.bytes(row.memory[0]), format.range(row.memory, format.bytes),
        ...counters.map((name) => (name in row.counters ? format.counter(name, row.counters[name]) : "-")),
    ]));
}
