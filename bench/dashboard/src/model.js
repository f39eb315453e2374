// The results, and what the filters leave of them. Estimates are [median, low, high].

export const verdicts = {
    faster: { sign: "▲", text: "faster", point: "triangle", turn: 0 },
    slower: { sign: "▼", text: "slower", point: "triangle", turn: 180 },
    even: { sign: "●", text: "no clear difference", point: "circle", turn: 0 },
};

export function isOurs(name, ours) {
    return name === ours || name.startsWith(`${ours}_`);
}

// state: {text, group, threads, allocators: Set, beside: a counter, or nothing for peak memory, against: an allocator, or nothing
// for the fastest of the others in each workload}
export function select(data, state) {
    const text = state.text.toLowerCase();
    const workloads = data.workloads.filter((workload) =>
        workload.name.toLowerCase().includes(text) &&
        (!state.group || workload.group === state.group) &&
        (!state.threads || workload.threads === Number(state.threads)));
    const allocators = Object.keys(data.context.allocators).filter((name) => state.allocators.has(name));
    const against = allocators.includes(state.against) ? state.against : "";
    return { data, workloads, allocators, ours: data.ours, beside: state.beside, against };
}

// The library's own of the allocators that are shown. The first that was measured at a workload is whom its verdict is
// about: the sized surface, or where that cannot run it, or is not shown, the drop-in.
export function surfaces(view) {
    return view.allocators.filter((name) => isOurs(name, view.ours));
}

export function peersOf(view) {
    return view.allocators.filter((name) => !isOurs(name, view.ours));
}

// Whom the verdict is against: the chosen one, or the fastest of the others that are shown.
function bestPeer(workload, view, against) {
    const time = (name) => workload.results[name].time[0];
    const peers = (against ? [against] : peersOf(view)).filter((name) => workload.results[name]);
    return peers.reduce((best, name) => (best === null || time(name) < time(best) ? name : best), null);
}

// What an interval shows: all of it below 1, all of it above, or neither.
export function judge([, low, high]) {
    return high < 1 ? "faster" : low > 1 ? "slower" : "even";
}

// [{workload, surface, peer, ratio, verdict}], the largest gain first; without those that we or all peers failed.
export function judged(view, candidates = surfaces(view), against = view.against) {
    return view.workloads
        .map((workload) => {
            const surface = candidates.find((name) => workload.results[name]);
            const peer = bestPeer(workload, view, against);
            const ratio = surface && peer && workload.ratios[surface][peer];
            return ratio ? { workload, surface, peer, ratio, verdict: judge(ratio) } : null;
        })
        .filter(Boolean)
        .sort((a, b) => a.ratio[0] - b.ratio[0]);
}

export function geometricMean(values) {
    return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

// One of the library's surfaces against one of the others, or against the best of them in each workload, over all workloads:
// {count, time, worst, above, memory}. time and memory are geometric means of ratios, memory to the smallest peak; above is how
// many ratios of time are above the limit. Null: they have no workload in common.
export function headToHead(view, surface, against) {
    const results = judged(view, [surface], against);
    if (!results.length)
        return null;
    const peak = (workload, name) => workload.results[name]?.memory[0] ?? 0;
    const peers = against ? [against] : peersOf(view);
    const sizes = results.map(({ workload }) =>
        [peak(workload, surface), Math.min(...peers.map((name) => peak(workload, name)).filter((size) => size > 0))])
        .filter(([own, least]) => own > 0 && least < Infinity);
    return {
        count: results.length, time: geometricMean(results.map(({ ratio }) => ratio[0])), worst: results[results.length - 1],
        above: results.filter(({ ratio }) => ratio[0] > view.data.limit).length,
        memory: sizes.length ? geometricMean(sizes.map(([own, least]) => own / least)) : null,
    };
}

// Map of key to items, in the order of the items.
export function groupBy(items, key) {
    const groups = new Map();
    for (const item of items)
        groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
    return groups;
}

// Workloads that differ in one number alone: [{title, label, workloads, x: [...]}], where there are at least two.
function curves(workloads, key, x, title) {
    return [...groupBy(workloads, key).values()]
        .map((members) => members.sort((a, b) => x(a) - x(b)))
        .filter((members) => new Set(members.map(x)).size > 1)
        .map((members) => ({ ...title(members[0]), workloads: members, x: members.map(x) }));
}

export function overThreads(view) {
    return curves(view.workloads, (workload) => workload.family, (workload) => workload.threads,
        (workload) => ({ title: workload.family, label: "threads" }));
}

export function overSize(view) {
    const sized = view.workloads.filter((workload) => workload.parameter);
    return curves(sized, (workload) => `${workload.series} ${workload.threads}`, (workload) => workload.parameter[1],
        (workload) => ({
            title: workload.series.replace(/\/(\w+:)?\*/, "") + (workload.threads > 1 ? `, ${workload.threads} threads` : ""),
            label: workload.parameter[0] || "size",
        }));
}

// This library over commits: of one workload, or of all that every commit has as the geometric mean of the ratios to
// the first one. [{commit, value: estimate}]
export function historyOf(history, workload, measure) {
    if (workload)
        return history.filter((entry) => entry.workloads[workload])
            .map((entry) => ({ commit: entry.commit, value: entry.workloads[workload][measure] }));
    const common = commonWorkloads(history);
    return history.filter(() => common.length).map((entry) => {
        const ratios = common.map((name) =>
            entry.workloads[name][measure][0] / history[0].workloads[name][measure][0]).filter((ratio) => ratio > 0);
        const mean = geometricMean(ratios);
        return { commit: entry.commit, value: [mean, mean, mean] };
    });
}

export function commonWorkloads(history) {
    const [first, ...others] = history;
    return first ? Object.keys(first.workloads).filter((name) => others.every((entry) => entry.workloads[name])) : [];
}
