// What `make vendor` runs: the browser's vendor files, from the packages of package-lock.json.
//
// Writes ../static/vendor: the icon sprite (one <symbol> per name in icons.txt), vendor.json (package,
// version, licence, sha384 of each file) and the fragment of THIRD_PARTY.md. The result is committed:
// nobody but who renews it needs Node. Running it twice gives the same bytes.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url);
const target = new URL("../static/vendor/", here);
const icons = new URL("node_modules/@tabler/icons/", here);

const read = (name, base = here) => readFileSync(new URL(name, base), "utf8");

function symbol(name) {
  const svg = read(`icons/outline/${name}.svg`, icons);
  const inner = svg
    .slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"))
    .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/, "")
    .replace(/\s+/g, " ")
    .replace(/> </g, "><")
    .trim();
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner}</symbol>`;
}

const names = read("icons.txt").split("\n").filter(Boolean);
const meta = JSON.parse(read("package.json", icons));
const sprite = [
  '<svg xmlns="http://www.w3.org/2000/svg">\n', // strokes and colours: css/icon.css
  `<!-- Tabler Icons ${meta.version}, MIT, Copyright (c) Pawel Kuna; ${names.length} of them -->\n`,
  [...new Set(names)].sort().map(symbol).join("\n"),
  "\n</svg>\n",
].join("");

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const file = `icons-${meta.version}.svg`;
writeFileSync(new URL(file, target), sprite);

const vendored = [
  {
    name: meta.name,
    version: meta.version,
    licence: meta.license,
    holder: "Pawel Kuna",
    files: [{ file, sha384: createHash("sha384").update(sprite).digest("base64") }],
  },
];
writeFileSync(new URL("vendor.json", target), JSON.stringify(vendored, null, 2) + "\n");

// No lock file of ours holds an address; npm leaves out those of the registry, but not whom to fund.
const lock = JSON.parse(read("package-lock.json"));
for (const entry of Object.values(lock.packages)) delete entry.funding;
writeFileSync(new URL("package-lock.json", here), JSON.stringify(lock, null, 2) + "\n");

const licence = read("LICENSE", icons).trim();
const fragment = vendored.map(
  ({ name, version, licence: kind, files }) =>
    `### ${name} ${version}\n\n${kind}. In \`agent_ui/static/vendor\`: ` +
    `${files.map(({ file }) => `\`${file}\``).join(", ")}.\n\n\`\`\`text\n${licence}\n\`\`\`\n`,
);
writeFileSync(new URL("THIRD_PARTY.fragment.md", target), fragment.join("\n"));

process.stdout.write(`${readdirSync(target).sort().join("  ")}\n`);
