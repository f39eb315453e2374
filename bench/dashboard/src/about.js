// Where, with what and of what was measured; and all of it for download.
import { element, table } from "./dom.js";
import * as format from "./format.js";

export function headline({ context, workloads }) {
    const { commit } = context;
    const of = commit.hash ? `Commit ${commit.hash.slice(0, 12)}${commit.changed ? " with changes" : ""}, “${commit.subject}”. ` : "";
    const rest = context.left_out.length ? ` ${context.left_out.length} more workloads were left out for the time limit.` : "";
    return `${of}Measured ${context.date.slice(0, 10)} on ${context.processor}, ${context.processors} processors: ` +
        `${workloads.length} workloads, medians of ${context.repetitions} repetitions.${rest}`;
}

export function warning({ noise, workloads }) {
    return noise.tooMany ? `This run is too noisy: in ${noise.workloads.length} of ${workloads.length} workloads the interval of the ` +
        `time reaches more than ${format.percent(noise.limit)} to each side of its median. Read nothing into small differences; ` +
        "repeat it on a quieter machine, or with more repetitions." : "";
}

export function machineSection({ data }) {
    const { context } = data;
    const rows = [
        ["date", context.date],
        ["processor", `${context.processor}, ${context.processors} processors`],
        ["caches", context.caches.map((cache) => `${cache.type} level ${cache.level}: ${format.bytes(cache.size)}`).join("; ")],
        ["memory", context.memory],
        ["kernel", context.kernel],
        ["transparent huge pages", context.huge_pages],
        ["load average at the start", context.load_average],
        ["commit", context.commit.hash && `${context.commit.hash}${context.commit.changed ? ", with changes" : ""}`],
        ...Object.entries(context.build),
        ...Object.entries(context.allocators).map(([name, about]) => [name, `${about.version}: ${about.library}`]),
        ["repetitions", `${context.repetitions}; at least ${context.min_time} s each where the work is not fixed`],
        ["intervals", `${format.percent(data.confidence)} confidence, by bootstrap: the most that the repetitions allow, up to 95 %`],
        ["failed", context.failures.join("; ")],
        ["left out for the time limit", context.left_out.join(", ")],
        ["this page", PACKAGES],
    ].filter(([, value]) => value !== "" && value !== undefined);
    return [table("Machine and versions", [{ title: "what", text: true }, { title: "value", text: true }],
        rows.map(([what, value]) => [what, String(value)]))];
}

export function dataSection({ data }) {
    const { context, benchmarks } = data.results;
    const own = (name) => ({
        context: { ...context, ...context.allocators[name], allocator: name, num_cpus: context.processors },
        benchmarks: benchmarks.filter((entry) => entry.allocator === name)
            .map((entry) => ({ ...entry, repetitions: context.repetitions, repetition_index: entry.repetition })),
    });
    const files = [["results.json", data.results], ...Object.keys(context.allocators).map((name) => [`${name}.json`, own(name)])];
    return [
        element("p", {}, "Every single measurement, as Google Benchmark wrote it, with the context above: all of them, or an allocator's."),
        element("ul", { class: "downloads" }, ...files.map(([file, value]) => element("li", {}, download(file, value)))),
    ];
}

// The file is made when it is asked for.
function download(file, value) {
    const link = element("a", { href: "#data", download: file }, file);
    link.addEventListener("click", () => {
        URL.revokeObjectURL(link.href);
        link.href = URL.createObjectURL(new Blob([JSON.stringify(value, null, 1)], { type: "application/json" }));
    });
    return link;
}
