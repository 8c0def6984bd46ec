// Builds the assets into a directory: each file under a name with a hash of its content, and manifest.json,
// which says what is called how.  node build.mjs DIRECTORY
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, "node_modules");
const target = resolve(process.argv[2]);

const style = compile(join(here, "portal.scss"), {
  style: "compressed",
  loadPaths: [join(packages, "govuk-frontend", "dist")],
  quietDeps: true,
}).css;

const files = {
  "portal.css": style,
  "early.js": read(here, "early.js"),
  "portal.js": read(here, "portal.js"),
  "icon.svg": read(here, "icon.svg"),
  // One script: htmx looks at the page once, soon after it has run, and knows only the extensions that it has then.
  "live.js": [
    read(here, "live.js"),
    withoutMap(read(packages, "htmx.org/dist/htmx.min.js")),
    withoutMap(read(packages, "htmx.org/dist/ext/hx-sse.min.js")),
  ].join("\n"),
  "govuk.js": withoutMap(read(packages, "govuk-frontend/dist/govuk/govuk-frontend.min.js")),
};

mkdirSync(target, { recursive: true });
for (const name of readdirSync(target)) rmSync(join(target, name));
const manifest = {};
for (const [name, content] of Object.entries(files)) {
  if (name !== "portal.js") manifest[name] = write(name, content);
}
// The only import of a script of ours: by the name that its target has now.
manifest["portal.js"] = write("portal.js", files["portal.js"].replace("./govuk.js", `./${manifest["govuk.js"]}`));
writeFileSync(join(target, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");

function write(name, content) {
  const extension = extname(name);
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const hashed = `${name.slice(0, -extension.length)}-${hash}${extension}`;
  writeFileSync(join(target, hashed), content);
  return hashed;
}

function read(directory, name) {
  return readFileSync(join(directory, name), "utf8");
}

function withoutMap(script) {
  return script.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n");
}
