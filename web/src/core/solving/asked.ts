// The question as the options of `tconv solve` say it.
import { exact, shorten } from "../checks";
import { gcd } from "../integers";
import {
  entriesOf,
  fractionOf,
  inOptions,
  integerOf,
  type Options,
  onAxes,
  paddingOf,
  sizesGiven,
  sizesOf,
  UsageError,
} from "../options";
import type { Fraction } from "./scales";
import { type Solutions, solve } from "./solutions";

const SIZES = ["coarse", "fine"];
const SEARCHED = ["kernel", "stride", "output-padding", "dilation"];

/** Numbers, one for all axes or one for each, whole where they are: "2", "1.5", "3/2", "2x1.5". */
function scalesOf(option: string, text: string): (number | Fraction)[] {
  return entriesOf(text).map((entry) => {
    if (/^\s*[+-]?[0-9]{1,99}\s*$/.test(entry)) return sizesOf(option, entry)[0]!;
    const [above, below] = fractionOf(entry) ?? ["0", 1];
    if (!Number(above)) {
      const allowed = "a number or one for each axis, such as 2, 1.5 or 3/2";
      throw new UsageError(`${option} must be ${allowed}; got ${shorten(text)}`);
    }
    const decimals = above.split(".")[1]?.length ?? 0;
    const ratio: Fraction = [exact(Number(above.replace(".", ""))), exact(below * 10 ** decimals)];
    const shared = gcd(...ratio);
    return ratio[1] === shared ? ratio[0] / shared : [ratio[0] / shared, ratio[1] / shared];
  });
}

/** What `tconv solve` finds with these options. */
export function solutionsOf(options: Options): Solutions {
  return inOptions(() => {
    const scale = options.scale === undefined ? {} : { scale: scalesOf("--scale", options.scale) };
    const given = { ...sizesGiven(options, SIZES), ...scale, ...sizesGiven(options, SEARCHED) };
    const tied = [...SIZES, "scale"].filter((name) => name in given);
    if (tied.length < 2 && tied[0] !== "scale") {
      const got = tied.length ? `--${tied[0]} alone` : "none of them";
      throw new UsageError(`two of --coarse, --fine and --scale must be given, or --scale alone; got ${got}`);
    }
    const fixed = options.padding === undefined ? {} : { padding: paddingOf(options.padding) };
    const largest = options["max-kernel"];
    const max_kernel = largest === undefined ? null : integerOf("--max-kernel", largest);
    const limit = integerOf("--limit", options.limit ?? "10");
    return solve(onAxes({ ...given, ...fixed }), max_kernel, limit);
  });
}
