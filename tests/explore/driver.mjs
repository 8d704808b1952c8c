// Calls functions of the page's script without a browser: a list of [name, ...arguments] comes in, a list of results
// goes out; what was thrown is {"error": its text}.
import { readFileSync } from "node:fs";

const page = readFileSync(process.argv[2], "utf8");
// A page has one script; a bundle is nothing else.
const script = page.match(/<script>([^]*)<\/script>/)?.[1] ?? page;
new Function(script)();

function called([name, ...args]) {
  try {
    return globalThis.tconv[name](...args);
  } catch (error) {
    if (error.constructor.name === "TypeError" || !(error instanceof Error)) throw error;
    return { error: error.message };
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(called)));
