// What every chart has in common: points with error bars, on axes that are logarithmic where values are, a caption,
// the keyboard, and the colours of the page. Charts are made when their figures are in the document: draw() makes
// those that were asked for since.
import { Chart, LinearScale, LineElement, LogarithmicScale, PointElement, Tooltip } from "chart.js";
import { PointWithErrorBar, ScatterWithErrorBarsController } from "chartjs-chart-error-bars";
import { element } from "./dom.js";
import { listenToKeys } from "./keyboard.js";
import { colour, style } from "./theme.js";

Chart.register(LinearScale, LineElement, LogarithmicScale, PointElement, PointWithErrorBar, ScatterWithErrorBarsController,
    Tooltip);

let waiting = [];
const drawn = new Map(); // canvas to chart

export function draw() {
    for (const { canvas, configuration } of waiting) {
        const chart = new Chart(canvas, configuration(canvas.parentElement.clientWidth));
        drawn.set(canvas, chart);
        listenToKeys(chart);
    }
    waiting = [];
}

export function clear(container) {
    for (const canvas of container.querySelectorAll("canvas")) {
        drawn.get(canvas)?.destroy();
        drawn.delete(canvas);
    }
    container.replaceChildren();
}

// configuration is a function of the figure's width: {datasets, scales}
export function figure({ caption, description, height, configuration }) {
    const canvas = element("canvas", { role: "img", tabindex: 0, "aria-label": description });
    const box = element("div", { class: "canvas" }, canvas);
    box.style.height = `${height}px`;
    waiting.push({ canvas, configuration: (width) => complete(configuration(width)) });
    return element("figure", {}, element("figcaption", {}, caption), box);
}

function complete({ datasets, scales }) {
    return {
        type: "scatterWithErrorBars",
        data: { datasets },
        options: {
            animation: false,
            responsive: true,
            maintainAspectRatio: false,
            devicePixelRatio: Math.min(window.devicePixelRatio, 2), // a phone's limit for a canvas is soon reached
            layout: { padding: { right: 12 } },
            interaction: { mode: "nearest", intersect: false },
            scales,
            plugins: {
                tooltip: {
                    displayColors: false,
                    callbacks: { title: () => "", label: (item) => item.raw.text.split("\n") },
                },
            },
        },
    };
}

// A point is {x, y, text}, and for its error bar {xMin, xMax} or {yMin, yMax}.
export function dataset(name, points, allocators) {
    const look = style(name, allocators);
    return {
        label: name,
        data: points,
        backgroundColor: look.colour,
        borderColor: look.colour,
        borderWidth: look.ours ? 2.5 : 1.5,
        borderDash: look.dash,
        pointStyle: look.shape,
        radius: look.radius,
        hoverRadius: 7,
        order: look.ours ? 0 : 1, // on top
        ...errorBars(look.colour),
    };
}

export function errorBars(shade) {
    return { errorBarColor: shade, errorBarWhiskerColor: shade, errorBarLineWidth: 1.25, errorBarWhiskerLineWidth: 1.25,
        errorBarWhiskerRatio: 0, errorBarWhiskerSize: 6 };
}

const font = (size = 12) => ({ size, family: getComputedStyle(document.body).fontFamily });

const axis = (title) => ({
    title: { display: Boolean(title), text: title, color: colour("muted"), font: font() },
    grid: { color: colour("line") },
    border: { color: colour("line") },
});

// Round values, of each decade or power of two the same: as many as leave each other the room of one of `most`.
const steps = {
    2: [[1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875], [1, 1.25, 1.5, 1.75], [1, 1.5]],
    10: [[1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9], [1, 1.5, 2, 3, 4, 5, 7], [1, 2, 3, 5], [1, 2, 5]],
};

export function roundValues(low, high, most, base) {
    const first = Math.floor(Math.log(low) / Math.log(base));
    const powers = Array.from({ length: Math.ceil(Math.log(high) / Math.log(base)) - first + 1 }, (_, index) => first + index);
    const within = (factors, stride) => powers.filter((power) => power % stride === 0)
        .flatMap((power) => factors.map((factor) => factor * base ** power))
        .filter((value) => value >= low && value <= high);
    const fit = (values) => values.every((value, index) =>
        index === 0 || Math.log(value / values[index - 1]) >= Math.log(high / low) / most);
    for (const factors of steps[base])
        if (fit(within(factors, 1)))
            return within(factors, 1);
    for (let stride = 1; ; stride++)
        if (fit(within([1], stride)))
            return within([1], stride);
}

// Spans all values with some air, and so much that noise is not magnified into mountains.
export function span(values, least = 2) {
    const low = Math.min(...values) / 1.08;
    const high = Math.max(...values) * 1.08;
    const widen = Math.max(1, Math.sqrt(least / (high / low)));
    return [low / widen, high * widen];
}

export function logarithmic({ values, format, title, base = 10, most = 7, least }) {
    const [min, max] = span(values, least);
    return {
        ...axis(title),
        type: "logarithmic", min, max,
        afterBuildTicks: (scale) => { scale.ticks = roundValues(min, max, most, base).map((value) => ({ value })); },
        ticks: { color: colour("muted"), font: font(), callback: format, autoSkip: false, maxRotation: 0 },
    };
}

// Exactly these values, evenly spaced or by their logarithm.
export function listed(values, format, title, type) {
    const [min, max] = type === "logarithmic" ? span(values, 1) : [Math.min(...values) - 0.5, Math.max(...values) + 0.5];
    return {
        ...axis(title),
        type, min, max,
        afterBuildTicks: (scale) => { scale.ticks = [...new Set(values)].map((value) => ({ value })); },
        ticks: { color: colour("muted"), font: font(), callback: format, autoSkip: true, maxRotation: 0 },
    };
}

// A row for each label, the first on top. Lines go through the rows, or where these hold several points, between them.
export function rows(labels, width, apart) {
    const narrow = width < 480;
    const most = narrow ? 20 : 40;
    const fit = (text) => (text.length > most ? `${text.slice(0, most - 8)}…${text.slice(-7)}` : text);
    return {
        ...axis(""),
        grid: { color: colour("line"), offset: apart },
        type: "linear", reverse: true, min: -0.6, max: labels.length - 0.4,
        afterBuildTicks: (scale) => { scale.ticks = labels.map((_, value) => ({ value })); },
        ticks: { color: colour("ink"), font: font(narrow ? 11 : 12), callback: (value) => fit(labels[value]), autoSkip: false },
    };
}
