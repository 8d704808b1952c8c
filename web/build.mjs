// Builds the page: one HTML file with its style and its script inside, the script deflated, since a notebook keeps the
// whole page with every output. `node build.mjs` writes it into the package, `--check` compares the one that is there
// with a fresh build, `--entry FILE --out FILE` bundles another script alone.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const built = join(here, "../src/tconv/exploring/page.html");

async function bundled(entry) {
  const result = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    charset: "utf8",
    format: "iife",
    legalComments: "none",
    minify: true,
    target: "es2022",
    write: false,
  });
  return result.outputFiles[0].text.trim();
}

/** Page and script apart: what deflating makes of the same script differs from one zlib to the next. */
async function page() {
  const style = await bundled("src/page/page.css");
  const html = readFileSync(join(here, "src/page/page.html"), "utf8").replace("/*style*/", () => style);
  return [html, await bundled("src/main.ts")];
}

function packed([html, script]) {
  return html.replace("/*script*/", deflateRawSync(script, { level: 9 }).toString("base64"));
}

function unpacked(text) {
  const [, script] = text.match(/atob\("([^"]*)"\)/);
  return [text.replace(script, "/*script*/"), inflateRawSync(Buffer.from(script, "base64")).toString()];
}

const { values } = parseArgs({
  options: { check: { type: "boolean" }, entry: { type: "string" }, out: { type: "string", default: built } },
});
if (values.entry) writeFileSync(values.out, await bundled(values.entry));
else if (!values.check) writeFileSync(values.out, packed(await page()));
else if (`${unpacked(readFileSync(values.out, "utf8"))}` !== `${await page()}`) {
  console.error("src/tconv/exploring/page.html is not what web/ builds; run `npm run build` in web/ and commit it");
  process.exit(1);
}
