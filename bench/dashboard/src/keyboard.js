// With a chart focused, the arrow keys go from point to point, show each one's tooltip and read it out; Escape leaves.

// A chart can be taller than the window.
function keepInSight(y) {
    const middle = window.innerHeight / 2;
    if (Math.abs(y - middle) > 0.5 * middle)
        window.scrollBy(0, y - middle);
}

export function listenToKeys(chart) {
    let at = -1;
    const announce = document.getElementById("announce");

    function points() {
        const all = chart.data.datasets.flatMap((dataset, datasetIndex) =>
            dataset.data.map((point, index) => ({ datasetIndex, index, text: point.text })));
        const place = ({ datasetIndex, index }) => chart.getDatasetMeta(datasetIndex).data[index];
        return all.map((point) => ({ ...point, x: place(point).x, y: place(point).y }));
    }

    function show(point) {
        const active = point ? [{ datasetIndex: point.datasetIndex, index: point.index }] : [];
        chart.setActiveElements(active);
        chart.tooltip.setActiveElements(active, point ?? { x: 0, y: 0 });
        chart.update("none");
        if (point)
            keepInSight(chart.canvas.getBoundingClientRect().top + point.y);
        announce.textContent = point ? point.text.replaceAll("\n", ", ") : "";
    }

    chart.canvas.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        if (event.key === "Escape")
            show(null);
        if (!step)
            return;
        event.preventDefault();
        const all = points();
        at = (at + step + all.length) % all.length;
        show(all[at]);
    });
    chart.canvas.addEventListener("blur", () => {
        at = -1;
        show(null);
    });
}
