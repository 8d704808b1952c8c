// The page's script: `tconv` is what tests and other scripts call, `start` fills the page where there is one.
import { port as core } from "./core/port";
import { port as draw } from "./draw/port";

const port = { ...core, ...draw };
export type Port = typeof port;
Object.assign(globalThis, { tconv: port });
