// Calls functions of the page's script without a browser: a list of [name, ...arguments] comes in, a list of results
// goes out; what was thrown is {"error": its text}.
import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

const page = readFileSync(process.argv[2], "utf8");
// In a page the script is deflated; a bundle is nothing else.
const deflated = page.match(/atob\("([^"]*)"\)/)?.[1];
const script = deflated ? inflateRawSync(Buffer.from(deflated, "base64")).toString() : page;
new Function(script)();

function called([name, ...args]) {
  try {
    return globalThis.tconv[name](...args);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError || !(error instanceof Error)) throw error;
    return { error: error.message };
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(called)));
