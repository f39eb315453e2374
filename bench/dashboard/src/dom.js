// Elements, tables and figures.

export function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
        if (key === "class")
            made.className = value;
        else if (value !== undefined && value !== false)
            made.setAttribute(key, value === true ? "" : value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
}

// columns: [{title, text: true where it is no number}]; rows: arrays of strings or elements, the first one a heading.
export function table(caption, columns, rows) {
    const cell = (content, index) =>
        element(index === 0 ? "th" : "td", { scope: index === 0 && "row", class: columns[index].text ? "text" : "" }, content);
    return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
        element("table", {},
            element("caption", { class: "hidden" }, caption),
            element("thead", {}, element("tr", {}, ...columns.map((column) =>
                element("th", { scope: "col", class: column.text ? "text" : "" }, column.title)))),
            element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell))))));
}

export function folded(title, content) {
    return element("details", {}, element("summary", {}, title), content);
}

export function nothing(text) {
    return element("p", { class: "muted" }, text);
}
