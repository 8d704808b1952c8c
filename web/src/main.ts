// The page's script: `tconv` is what tests and other scripts call; where there is a document, the page starts.
import { port as core } from "./core/port";
import { port as dialects } from "./dialects/port";
import { port as draw } from "./draw/port";
import { port as formats } from "./formats/port";
import { start } from "./page/app";

Object.assign(globalThis, { tconv: { ...core, ...dialects, ...draw, ...formats } });
if (typeof document !== "undefined") start();
