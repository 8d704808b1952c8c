// Builds the page: one HTML file with its script and its style inside. `node build.mjs` writes it into the package,
// `--check` compares the one that is there with a fresh build, `--entry FILE --out FILE` bundles another script alone.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const built = join(here, "../src/tconv/explore/page.html");

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

async function page() {
  const script = (await bundled("src/main.ts")).replaceAll("</script", "<\\/script");
  const style = await bundled("src/page/page.css");
  const parts = { "/*style*/": style, "/*script*/": script };
  return readFileSync(join(here, "src/page/page.html"), "utf8").replace(/\/\*(style|script)\*\//g, (mark) => parts[mark]);
}

const { values } = parseArgs({
  options: { check: { type: "boolean" }, entry: { type: "string" }, out: { type: "string", default: built } },
});
const text = values.entry ? await bundled(values.entry) : await page();
if (!values.check) writeFileSync(values.out, text);
else if (readFileSync(values.out, "utf8") !== text) {
  console.error("src/tconv/explore/page.html is not what web/ builds; run `npm run build` in web/ and commit it");
  process.exit(1);
}
