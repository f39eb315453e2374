// node bundle.mjs FOLDER: bundles the page into FOLDER/page.html, with the packages in FOLDER/node_modules. The file
// needs nothing else; the runner puts results in the place of @RESULTS@.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.argv[2];
const sources = join(dirname(fileURLToPath(import.meta.url)), "src");
const versions = Object.entries(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).dependencies)
    .map(([name, version]) => `${name} ${version}`).join(", ");
const { buildSync } = createRequire(join(folder, "package.json"))("esbuild");

function bundle(file, options) {
    const result = buildSync({
        entryPoints: [join(sources, file)], nodePaths: [join(folder, "node_modules")],
        bundle: true, minify: true, write: false, legalComments: "inline", target: "es2020",
        define: { PACKAGES: JSON.stringify(versions) }, ...options,
    });
    return result.outputFiles[0].text;
}

const parts = { "@STYLE@": bundle("style.css"), "@SCRIPT@": bundle("main.js", { format: "iife" }) };
const page = readFileSync(join(sources, "page.html"), "utf8").replace(/@STYLE@|@SCRIPT@/g, (name) => parts[name]);
writeFileSync(join(folder, "page.html"), page);
