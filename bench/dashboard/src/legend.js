// Which allocator looks how: its marker, as the charts draw it.
import { drawPoint } from "chart.js/helpers";
import { element } from "./dom.js";
import { style } from "./theme.js";

export function swatch(name, allocators) {
    const look = style(name, allocators);
    const canvas = element("canvas", { class: "swatch", "aria-hidden": "true", width: 44, height: 32 });
    const context = canvas.getContext("2d");
    context.scale(2, 2);
    context.strokeStyle = context.fillStyle = look.colour;
    context.lineWidth = look.ours ? 2.5 : 1.5;
    context.setLineDash(look.dash);
    context.beginPath();
    context.moveTo(0, 8);
    context.lineTo(22, 8);
    context.stroke();
    context.setLineDash([]);
    drawPoint(context, { pointStyle: look.shape, radius: look.radius, borderWidth: 1.5 }, 11, 8);
    return canvas;
}

export function legend(view) {
    const all = Object.keys(view.data.context.allocators);
    return element("ul", { class: "legend", "aria-label": "Markers" }, ...view.allocators.map((name) =>
        element("li", {}, swatch(name, all), name)));
}
