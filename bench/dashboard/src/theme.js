// How each allocator looks: a colour, a shape and a dash, so that no two differ by colour alone. Always the same for
// the same allocator, in every chart.

const known = ["alloc", "system", "jemalloc", "mimalloc", "tcmalloc", "alloc_malloc", "snmalloc", "rpmalloc"];
const shapes = ["circle", "crossRot", "triangle", "rect", "rectRot", "rectRounded", "star", "cross"];
const dashes = [[], [2, 2], [8, 3], [5, 2, 1, 2], [3, 3], [10, 2, 2, 2], [1, 3], [6, 6]];

const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const colour = (name) => variable(`--${name}`);

export function style(allocator, allocators) {
    const others = allocators.filter((name) => !known.includes(name)).sort();
    const index = known.includes(allocator) ? known.indexOf(allocator) : known.length + others.indexOf(allocator);
    const kind = index % shapes.length;
    return { colour: variable(`--series-${kind}`), shape: shapes[kind], dash: dashes[kind], ours: allocator.startsWith(known[0]), radius: 4.5 };
}

export function onThemeChange(redraw) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
