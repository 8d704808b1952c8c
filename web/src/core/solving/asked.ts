// The question as the options of `tconv solve` say it.
import { inOptions, integerOf, type Options, onAxes, paddingOf, sizesGiven, UsageError } from "../options";
import { type Solutions, solve } from "./solutions";

const SIZES = ["coarse", "fine", "scale", "kernel", "stride", "output-padding", "dilation"];

/** What `tconv solve` finds with these options. */
export function solutionsOf(options: Options): Solutions {
  return inOptions(() => {
    const given = sizesGiven(options, SIZES);
    if (!given.coarse && !given.fine && !given.scale) {
      throw new UsageError("two of --coarse, --fine and --scale must be given, or --scale alone; got none of them");
    }
    const fixed = options.padding === undefined ? {} : { padding: paddingOf(options.padding) };
    const largest = options["max-kernel"];
    const max_kernel = largest === undefined ? null : integerOf("--max-kernel", largest);
    const limit = integerOf("--limit", options.limit ?? "10");
    return solve(onAxes({ ...given, ...fixed }), max_kernel, limit);
  });
}
