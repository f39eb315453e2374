// One number varied: throughput over threads, and time against a size. A small chart for each family of workloads.
import { dataset, figure, listed, logarithmic } from "./charts.js";
import { element, folded, nothing, table } from "./dom.js";
import * as format from "./format.js";
import { legend } from "./legend.js";
import { overSize, overThreads } from "./model.js";

// Operations a second of all threads: the interval's ends change places.
const throughput = ([median, low, high]) => [1e9 / median, 1e9 / high, 1e9 / low];

export function threadsSection(view) {
    const processors = view.data.context.processors;
    return section(view, overThreads(view), {
        intro: `Operations per second of all threads together: higher is better, and a line that rises by as much as the threads ` +
            `scales. This machine has ${processors} processors; with more threads than that, they take turns.`,
        none: "No workload that is shown was measured with different numbers of threads.",
        name: "throughput", of: (result) => throughput(result.time), format: format.rate,
    });
}

export function sizeSection(view) {
    return section(view, overSize(view), {
        intro: "Time per operation as the workload's own number grows: the live objects of churn, the objects of a batch, the bytes " +
            "of a block. Lower is better. A rise is where a cache, or an allocator's own structure, no longer holds it.",
        none: "No workload that is shown was measured with different sizes.",
        name: "time", of: (result) => result.time, format: format.time,
    });
}

function section(view, families, measure) {
    if (!families.length || !view.allocators.length)
        return [nothing(measure.none)];
    return [
        element("p", {}, measure.intro),
        legend(view),
        element("div", { class: "charts many" }, ...families.map((family) => element("div", { class: "chart" },
            element("h3", {}, family.title), chart(view, family, measure),
            folded(`Table of ${family.title}`, details(view, family, measure))))),
    ];
}

function chart(view, family, measure) {
    const points = (name) => family.workloads.flatMap((workload, index) => {
        if (!workload.results[name])
            return [];
        const estimate = measure.of(workload.results[name]);
        return [{
            x: family.x[index], y: estimate[0], yMin: estimate[1], yMax: estimate[2],
            text: `${workload.name}\n${name}: ${measure.format(estimate[0])} (${format.range(estimate, measure.format)})`,
        }];
    });
    const values = view.allocators.flatMap((name) => points(name).flatMap(({ yMin, yMax }) => [yMin, yMax]));
    return figure({
        caption: `${measure.name}, by ${family.label}`,
        description: `${measure.name} of ${family.title} by ${family.label}, for each allocator. The table below has all values.`,
        height: 260,
        configuration: () => ({
            datasets: view.allocators.map((name) => ({
                ...dataset(name, points(name), Object.keys(view.data.context.allocators)), showLine: true,
            })),
            scales: {
                x: listed(family.x, format.count, family.label, "logarithmic"),
                y: logarithmic({ values: values.length ? values : [1], format: format.short(measure.format), most: 6 }),
            },
        }),
    });
}

function details(view, family, measure) {
    const columns = [{ title: family.label, text: true },
        ...view.allocators.flatMap((name) => [{ title: name }, { title: "interval" }])];
    return table(`${measure.name} of ${family.title}`, columns, family.workloads.map((workload, index) => [
        family.x[index].toLocaleString("en"),
        ...view.allocators.flatMap((name) => {
            const result = workload.results[name];
            return result ? [measure.format(measure.of(result)[0]), format.range(measure.of(result), measure.format)] : ["-", "-"];
        }),
    ]));
}
