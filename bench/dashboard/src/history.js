// What this library cost at every commit that was measured on a machine like this one.
import { dataset, figure, listed, logarithmic } from "./charts.js";
import { clear, draw } from "./charts.js";
import { element, folded, nothing, table } from "./dom.js";
import * as format from "./format.js";
import { commonWorkloads, historyOf } from "./model.js";

const measures = {
    time: { title: "Time per operation", format: format.time },
    memory: { title: "Peak resident memory", format: format.bytes },
};
const overall = "";
const chosen = { workload: overall, measure: "time" }; // stays when the filters change

export function historySection(view) {
    const { history, historyOfOtherMachines: others } = view.data;
    if (!history.length)
        return [nothing("No commit is known yet: the benchmark was not run from a git checkout.")];
    const names = new Set(view.workloads.map((workload) => workload.name));
    const offered = [...new Set(history.flatMap((entry) => Object.keys(entry.workloads)))].filter((name) => names.has(name));
    if (!offered.includes(chosen.workload))
        chosen.workload = overall;
    const panel = element("div", {});
    const redraw = () => {
        clear(panel);
        panel.append(...graph(view));
        draw();
    };
    const workload = choice("Workload", "workload", [[overall, `all ${commonWorkloads(history).length} that every commit has`],
        ...offered.map((name) => [name, name])], redraw);
    const measure = choice("Measure", "measure", Object.entries(measures).map(([key, { title }]) => [key, title]), redraw);
    panel.append(...graph(view));
    const elsewhere = others ? ` Measured on other machines, and not shown: ${others}.` : "";
    return [
        element("p", {}, `Commits measured: ${history.length}, oldest first; lower is better.${elsewhere}`),
        element("div", { class: "controls" }, workload, measure),
        panel,
    ];
}

function choice(label, key, options, changed) {
    const select = element("select", { id: `history-${key}` }, ...options.map(([value, text]) =>
        element("option", { value, selected: value === chosen[key] }, text)));
    select.addEventListener("change", () => {
        chosen[key] = select.value;
        changed();
    });
    return element("label", {}, element("span", {}, label), select);
}

const nameOf = (commit) => commit.hash.slice(0, 8) + (commit.changed ? "+" : "");

function graph(view) {
    const entries = historyOf(view.data.history, chosen.workload, chosen.measure);
    if (!entries.length)
        return [nothing("The commits have no workload in common. Choose one.")];
    const measure = measures[chosen.measure];
    const shown = chosen.workload ? measure.format : format.ratio;
    const title = chosen.workload ? `${measure.title}: ${chosen.workload}`
        : `${measure.title}: geometric mean of the ratios to the first commit`;
    const points = entries.map(({ commit, value: [median, low, high] }, x) => ({
        x, y: median, yMin: low, yMax: high,
        text: `${nameOf(commit)}: ${shown(median)}\n${commit.subject}\n${commit.date.slice(0, 10)}`,
    }));
    const columns = [{ title: "commit", text: true }, { title: "date", text: true }, { title: "subject", text: true },
        { title: chosen.workload ? "median" : "ratio" }, { title: "interval" }];
    return [
        element("div", { class: "chart" }, figure({
            caption: title,
            description: `${title}, at ${entries.length} commits. The table below has all values.`,
            height: 280,
            configuration: () => ({
                datasets: [{ ...dataset(view.ours, points, [view.ours]), showLine: true }],
                scales: {
                    x: listed(points.map(({ x }) => x), (x) => nameOf(entries[x].commit), "commit", "linear"),
                    y: logarithmic({ values: points.flatMap(({ yMin, yMax }) => [yMin, yMax]), format: format.short(shown),
                        base: chosen.workload && chosen.measure === "memory" ? 2 : 10, least: 1.5 }),
                },
            }),
        })),
        folded("Table of the history", table(title, columns, entries.map(({ commit, value }) => [
            nameOf(commit), commit.date.slice(0, 16).replace("T", " "), commit.subject, shown(value[0]),
            chosen.workload ? format.range(value, shown) : "-",
        ]))),
    ];
}
