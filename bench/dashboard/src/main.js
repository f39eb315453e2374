// Draws the page from the results that the runner put into it, again whenever the filters or the colours change.
import { dataSection, headline, machineSection, warning } from "./about.js";
import { clear, draw } from "./charts.js";
import { costSection } from "./cost.js";
import { sizeSection, threadsSection } from "./curves.js";
import { addressOf, fillFilters, initialState } from "./filters.js";
import { historySection } from "./history.js";
import { select } from "./model.js";
import { onThemeChange } from "./theme.js";
import { verdictSection } from "./verdict.js";

const data = JSON.parse(document.getElementById("results").textContent);
const state = initialState(data, location.search);
const filtered = { verdict: verdictSection, cost: costSection, threads: threadsSection, size: sizeSection, history: historySection };
const constant = { machine: machineSection, data: dataSection };

function fill(sections) {
    const view = { ...select(data, state), choose };
    for (const [id, make] of Object.entries(sections)) {
        const container = document.querySelector(`#${id} .content`);
        clear(container);
        container.append(...make(view));
    }
    draw();
}

function changed() {
    fill(filtered);
    const address = addressOf(data, state);
    history.replaceState(null, "", `${location.pathname}${address && "?"}${address}${location.hash}`);
}

// Chosen within a section: what had the focus is drawn anew.
function choose(choice) {
    Object.assign(state, choice);
    changed();
    document.querySelector("#overview [aria-pressed=true]")?.focus();
}

function start() {
    fillFilters(document.getElementById("filters"), data, state, changed);
    fill(filtered);
}

document.getElementById("about").textContent = headline(data);
const noise = document.getElementById("noise");
noise.textContent = warning(data);
noise.hidden = !noise.textContent;
start();
fill(constant);
onThemeChange(start);
