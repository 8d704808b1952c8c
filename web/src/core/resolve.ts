// From the arguments of a call to axes: every argument normalised to a value an axis, every axis settled.
import { Axis } from "./axis";
import { exact, type Ints, type Padding, type PaddingLike, paddingPerAxis, perAxis, Rejected, wrong } from "./checks";
import { type Ends, ofConv, ofConvTranspose } from "./sizes";

/** The arguments that both directions share, with a value an axis. */
export interface AxisArguments {
  /** Of the grid that is known: fine for conv, coarse for convTranspose. */
  size: number[];
  kernel: number[];
  stride: number[];
  padding: (Padding | string)[];
  dilation: number[];
}

/** The shared arguments; the size, called `name` in messages, or else the kernel says how many axes there are. */
export function window(
  size: Ints,
  kernel: Ints,
  stride: Ints,
  padding: PaddingLike,
  dilation: Ints,
  name: string,
): AxisArguments {
  const ndim = [size, kernel].find((value) => typeof value !== "number")?.length ?? 1;
  return {
    size: perAxis(name, size, ndim, 1),
    kernel: perAxis("kernel", kernel, ndim, 1),
    stride: perAxis("stride", stride, ndim, 1),
    padding: paddingPerAxis(padding, ndim),
    dilation: perAxis("dilation", dilation, ndim, 1),
  };
}

/** The axes of a convolution. */
export function conv(fine: AxisArguments, output_padding: Ints | null, output_size: Ints | null): Axis[] {
  const a = optional("output_padding", output_padding, fine.size.length, 0);
  const coarse = optional("output_size", output_size, fine.size.length, 1);
  return settled(fine, (i, n, k, s, pad, d) => ofConv(n, k, s, pad, a[i]!, coarse[i]!, d));
}

/** The axes of a transposed convolution. */
export function convTranspose(coarse: AxisArguments, output_padding: Ints, output_size: Ints | null): Axis[] {
  const a = perAxis("output_padding", output_padding, coarse.size.length, 0);
  const fine = optional("output_size", output_size, coarse.size.length, 1);
  return settled(coarse, (i, n, k, s, pad, d) => ofConvTranspose(n, k, s, pad, a[i]!, fine[i]!, d));
}

type Settle = (i: number, n: number, k: number, s: number, pad: Padding | string, d: number) => Ends;

function settled({ size, kernel, stride, padding, dilation }: AxisArguments, settle: Settle): Axis[] {
  return size.map((n, i) => {
    const [k, s, pad, d] = [kernel[i]!, stride[i]!, padding[i]!, dilation[i]!];
    const [low, high] = typeof pad === "string" ? [0, 0] : pad.map(Math.abs);
    // Nothing that these numbers lead to, on the way to a size or to a refusal, is beyond what doubles hold.
    exact(2 * (n * s + k * d + low! + high! + s + d));
    try {
      const [coarse, pair, a] = settle(i, n, k, s, pad, d);
      return new Axis(coarse, k, s, pair, a, d);
    } catch (error) {
      if (error instanceof Rejected && size.length > 1) wrong(`${error.message} (axis ${i})`);
      throw error;
    }
  });
}

function optional(name: string, value: Ints | null, ndim: number, least: number): (number | null)[] {
  return value === null ? Array(ndim).fill(null) : perAxis(name, value, ndim, least);
}
