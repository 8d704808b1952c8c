// Why all fine cells are reached by as many taps, or not, in words; and the nearest geometry where it is otherwise.
import { Axis } from "../core/axis";
import { Rejected } from "../core/checks";
import { Geometry } from "../core/geometry";
import { gcd } from "../core/integers";
import { type Said, said } from "./scene";
import { learn } from "./words";

// The English of those that say why not is that of Axis.unevenness, word for word.
learn({
  "evenness factor": [
    "stride {0} and dilation {1} share the factor {2}: only one in {2} fine positions is reached",
    "步幅 {0} 与膨胀率 {1} 有公因数 {2}：每 {2} 个细网格位置只有一个被触及",
  ],
  "evenness gaps": [
    "kernel {0} is smaller than stride {1}: {2} in every {1} fine positions are reached by no tap",
    "卷积核 {0} 小于步幅 {1}：每 {1} 个细网格位置有 {2} 个没有任何抽头触及",
  ],
  "evenness remainder": [
    "kernel {0} is no multiple of stride {1}: {2} in every {1} fine positions get {3} taps, the rest {4}",
    "卷积核 {0} 不是步幅 {1} 的倍数：每 {1} 个细网格位置有 {2} 个得到 {3} 个抽头，其余 {4} 个",
  ],
  "evenness multiple": [
    "kernel {0} is {2} times stride {1}: away from the border every fine position is reached by as many taps, {2}",
    "卷积核 {0} 是步幅 {1} 的 {2} 倍：远离边界处每个细网格位置都被同样多的抽头触及，即 {2} 个",
  ],
  "evenness unit": [
    "stride 1: away from the border every fine position is reached by as many taps, {0}",
    "步幅 1：远离边界处每个细网格位置都被同样多的抽头触及，即 {0} 个",
  ],
  "evenness axis": ["axis {0}: {1}", "轴 {0}：{1}"],
});

/** Why the coverage is even or not: what all axes say, or each that is to blame; axes that say the same together. */
export function reasons(g: Geometry): Said[] {
  const told = new Map<string, [Said, number[]]>();
  g.axes.forEach((axis, number) => {
    if (!g.isEven && axis.isEven) return;
    const why = reason(axis);
    const key = JSON.stringify(why);
    if (!told.has(key)) told.set(key, [why, []]);
    told.get(key)![1].push(number);
  });
  const all = [...told.values()];
  if (all.length === 1 && all[0]![1].length === g.ndim) return [all[0]![0]];
  return all.map(([why, numbers]) => said("evenness axis", numbers.join(", "), why));
}

// Why the coverage of an axis is even or not.
function reason(axis: Axis): Said {
  const { kernel: k, stride: s, dilation: d } = axis;
  if (gcd(s, d) > 1) return said("evenness factor", s, d, gcd(s, d));
  if (k < s) return said("evenness gaps", k, s, s - k);
  const taps = Math.floor(k / s);
  if (k % s) return said("evenness remainder", k, s, k % s, taps + 1, taps);
  return s === 1 ? said("evenness unit", k) : said("evenness multiple", k, s, taps);
}

/**
 * The nearest geometry that is even where this one is not, and the other way round; null where there is none.
 * It has another kernel; only where no kernel helps, another dilation or stride.
 */
export function contrast(g: Geometry): Geometry | null {
  const even = !g.isEven;
  const found = new Geometry(g.axes.map((axis) => (axis.isEven === even ? axis : (otherwise(axis, even) ?? axis))));
  return found.isEven === even ? found : null;
}

function otherwise(axis: Axis, even: boolean): Axis | null {
  for (const [kernel, stride, dilation] of near(axis, even)) {
    const output_padding = Math.min(axis.output_padding, Math.max(stride, dilation) - 1);
    try {
      const other = new Axis(axis.coarse, kernel, stride, axis.padding, output_padding, dilation);
      if (other.isEven === even) return other;
    } catch (error) {
      if (!(error instanceof Rejected)) throw error; // else the padding leaves nothing of the fine grid
    }
  }
  return null;
}

// Kernel, stride and dilation, the nearest first; of two that are as near the larger kernel.
function near(axis: Axis, even: boolean): [number, number, number][] {
  const { kernel: k, stride: s, dilation: d } = axis;
  if (even) {
    let coprime = d;
    while (gcd(coprime, s) > 1) coprime--;
    const less = k - (k % s);
    const more = k % s ? less + s : k;
    const kernels = more - k <= k - less ? [more, less] : [less, more];
    return kernels.filter((kernel) => kernel).map((kernel) => [kernel, s, coprime]);
  }
  if (s > 1) return [k + 1, k - 1].filter((kernel) => kernel).map((kernel) => [kernel, s, d]);
  if (axis.coarse === 1) return []; // where there is one cell, nothing can be seen of another stride
  let stride = 2;
  while (!(k % stride && gcd(stride, d) === 1)) stride++;
  return [[k, stride, d]];
}
