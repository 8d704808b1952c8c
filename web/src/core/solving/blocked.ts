// Why no parameter set ties a coarse size to a fine one: what is reached instead, and which change would reach it.
import { type Padding, repr, someOf } from "../checks";
import { mod } from "../integers";
import { range } from "../range";
import { effectiveKernel, fineSize } from "../sizes";
import { ranked } from "./rank";
import { outputPaddings, type Question, strides, triedStrides } from "./reach";

const PARAMETERS = ["kernel", "stride", "padding", "output_padding", "dilation", "max_kernel"] as const;

/** The fine sizes that are reached at one stride: first, first + step, ... to last, or without end. */
interface ReachedSizes {
  first: number;
  last: number;
  step: number;
}

function listed({ first, last, step }: ReachedSizes): string {
  if (Number.isFinite(last)) return someOf(range(first, last + 1, step));
  return `${first} and more${step === 1 ? "" : ` in steps of ${step}`}`;
}

/** A sentence for an axis that has no solution: what the fixed parameters reach, and what would have to change. */
export function reason(q: Question): string {
  const tried = strides(q);
  if (!tried.length) return noStride(q);
  const wanted = q.scale === null ? q.fine : 0;
  const distance = ({ first, last }: ReachedSizes) => Math.max(first - wanted, wanted - last, 0);
  const each = tried.map((stride) => ({ stride, sizes: reached(q, stride) }));
  const { stride, sizes } = each.reduce((a, b) => (distance(b.sizes) < distance(a.sizes) ? b : a));
  const text = listed(sizes);
  const reaching =
    q.scale === null
      ? `coarse ${q.coarse} reaches ${text ? `fine ${text}` : "no fine size"}`
      : `fine is ${q.scale} * coarse + n with n = ${text}`;
  return `with ${given(q, stride)} ${reaching}; ${change(q, q.scale === null ? `${q.fine}` : "n = 0")}`;
}

function noStride(q: Question): string {
  const stride = triedStrides(q).at(-1);
  if (stride === undefined) {
    const wanted = `fine = ${q.scale} * coarse for every coarse size`;
    return `${wanted} takes stride ${q.scale}; stride is ${q.stride}`;
  }
  const bound = `max(stride, dilation) = max(${stride}, ${q.dilation}) = ${Math.max(stride, q.dilation)}`;
  return `output_padding must be less than ${bound}; it is ${q.output_padding}`;
}

/** The fine sizes that the fixed parameters reach from the coarse size (for a scale: how far they are from it). */
function reached(q: Question, stride: number): ReachedSizes {
  const [least, most] = outputPaddings(q, stride);
  // Padding and kernel both free: there is always a solution, and no reason to be given.
  const largest = q.kernel ?? q.max_kernel ?? Infinity;
  const beyond = (kernel: number) =>
    fineSize(q.coarse, kernel, stride, q.padding ?? [0, 0], 0, q.dilation) - (q.scale === null ? 0 : q.fine);
  let first = beyond(q.kernel ?? 1) + least;
  const last = beyond(largest) + most;
  // The largest kernel, and with it the largest padding, reaches furthest both ways.
  if (!q.padding) first = beyond(largest) - 2 * (effectiveKernel(largest, q.dilation) - 1) + least;
  const step = q.padding && least === most && q.kernel === null ? q.dilation : 1;
  return { first: q.scale === null ? Math.max(first, 1 + mod(first - 1, step)) : first, last, step };
}

/** The fixed parameters and the stride, as a list in words. */
function given(q: Question, stride: number): string {
  const tried = q.stride === null && q.scale === null ? ` (tried: ${strides(q).join(", ")})` : "";
  const shown = PARAMETERS.map((name) => {
    if (name === "stride") return setting(name, stride) + tried;
    const left = (name === "max_kernel" && q.kernel !== null) || (name === "dilation" && q.dilation === 1);
    return left || q[name] === null ? "" : setting(name, q[name]);
  });
  return shown.filter(Boolean).join(", ");
}

/** Which fixed parameters could be given up, each with the best value it would take. */
function change(q: Question, wanted: string): string {
  const options = PARAMETERS.flatMap((name) => {
    const free = name === "dilation" ? 1 : null;
    if (q[name] === free) return [];
    return ranked([{ ...q, [name]: free }], 1).map(([axis]) =>
      setting(name, axis![name === "max_kernel" ? "kernel" : name]),
    );
  });
  if (!options.length) return `no change of one of them was found that reaches ${wanted}`;
  return `${wanted} would take ${options.join(" or ")}`;
}

function setting(name: string, value: number | Padding): string {
  return `${name} ${repr(typeof value !== "number" && value[0] === value[1] ? value[0] : value)}`;
}
