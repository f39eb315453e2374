// What is shown: workloads by name, group and threads, and allocators, whose boxes are the charts' legend too.
import { element } from "./dom.js";
import { counterTitle } from "./format.js";
import { swatch } from "./legend.js";

const pause = 150; // milliseconds without a key, before the page is drawn again

const texts = ["text", "group", "threads", "beside", "against"];

// What the address says, so that a view can be sent to others: ?group=pair&against=mimalloc&without=system
export function initialState(data, search) {
    const address = new URLSearchParams(search);
    const without = address.getAll("without");
    return {
        ...Object.fromEntries(texts.map((key) => [key, address.get(key) ?? ""])),
        allocators: new Set(Object.keys(data.context.allocators).filter((name) => !without.includes(name))),
    };
}

export function addressOf(data, state) {
    const address = new URLSearchParams(texts.filter((key) => state[key]).map((key) => [key, state[key]]));
    for (const name of Object.keys(data.context.allocators))
        if (!state.allocators.has(name))
            address.append("without", name);
    return address.toString();
}

const unique = (values) => [...new Set(values)];

export function fillFilters(form, data, state, changed) {
    const later = delayed(changed);
    const search = element("input", { type: "search", id: "filter-text", placeholder: "part of a name", value: state.text });
    search.addEventListener("input", () => {
        state.text = search.value.trim();
        later();
    });
    const names = Object.keys(data.context.allocators);
    form.replaceChildren(
        labelled("Workloads", search),
        labelled("Group", choice("group", [["", "all"],
            ...unique(data.workloads.map(({ group }) => group)).map((group) => [group, group])], state, changed)),
        labelled("Threads", choice("threads", [["", "all"],
            ...unique(data.workloads.map(({ threads }) => threads)).sort((a, b) => a - b).map((n) => [n, n])], state, changed)),
        labelled("Beside the time", choice("beside", [["", "peak resident memory"],
            ...counterNames(data).map((name) => [name, counterTitle(name)])], state, changed)),
        element("fieldset", {}, element("legend", {}, "Allocators"), ...names.map((name) => box(name, names, state, changed))));
    form.addEventListener("submit", (event) => event.preventDefault());
}

function counterNames({ workloads }) {
    const results = workloads.flatMap((workload) => Object.values(workload.results));
    return unique(results.flatMap(({ counters }) => Object.keys(counters))).sort();
}

function labelled(text, control) {
    return element("label", {}, element("span", {}, text), control);
}

function choice(key, options, state, changed) {
    const select = element("select", { id: `filter-${key}` }, ...options.map(([value, text]) =>
        element("option", { value, selected: String(value) === state[key] }, text)));
    select.addEventListener("change", () => {
        state[key] = select.value;
        changed();
    });
    return select;
}

function box(name, names, state, changed) {
    const input = element("input", { type: "checkbox", value: name, checked: state.allocators.has(name) });
    input.addEventListener("change", () => {
        state.allocators[input.checked ? "add" : "delete"](name);
        changed();
    });
    return element("label", {}, input, swatch(name, names), name);
}

function delayed(action) {
    let timer;
    return () => {
        clearTimeout(timer);
        timer = setTimeout(action, pause);
    };
}
