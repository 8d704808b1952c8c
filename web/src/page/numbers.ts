// The numbers of a geometry: both formulas, the remainder, the three paddings, the matrix, the coverage.
import type { Axis } from "../core/axis";
import { convFormula, convTransposeFormula, coverageAlong, matrix, remainder } from "../core/explain";
import type { Geometry } from "../core/geometry";
import { prod } from "../core/integers";
import type { Range } from "../core/range";
import { distinct } from "../draw/cells";
import { reasons } from "../draw/evenness";
import { say } from "../draw/words";
import { facts, folded, h } from "./dom";
import type { Model, Part } from "./model";

type Line = [name: string, text: string];

export function numbers(t: Model["t"]): Part {
  const list = h("div", { class: "numbers" });
  const element = folded(t("numbers"), true, list);
  function show(model: Model): void {
    const { geometry } = model;
    const along = distinct(geometry.axes).map((axis) => [
      ...(geometry.ndim > 1 ? [h("h3", {}, axesOf(geometry, axis, t))] : []),
      facts(ofAxis(axis, t)),
    ]);
    list.replaceChildren(...along.flat(), facts(ofAll(model)));
  }
  return { element, show };
}

function axesOf(geometry: Geometry, axis: Axis, t: Model["t"]): string {
  const which = geometry.axes.flatMap((other, n) => (other.equals(axis) ? [n] : []));
  return t(which.length > 1 ? "axes" : "axis", which.join(", "));
}

function ofAxis(axis: Axis, t: Model["t"]): Line[] {
  const { padding, zeroInserted, fineSizes, output_padding, stride } = axis;
  return [
    [t("size up"), convTransposeFormula(axis)[1]],
    [t("size down"), convFormula(axis)[1]],
    [
      t("remainder"),
      t(output_padding < stride ? "remainder is" : "remainder beyond", remainder(axis)[1], output_padding),
    ],
    [t("shared", axis.coarse), shared(fineSizes, t)],
    [t("pads fine"), t("pads fine is", ends(padding, t))],
    [t("crops fine"), t("crops fine is", ends(padding, t))],
    [t("pads zeros"), t("pads zeros is", ends(zeroInserted.padding, t))],
    [t("coverage is"), coverageAlong(axis)],
  ];
}

function shared(sizes: Range, t: Model["t"]): string {
  if (sizes.length === 0) return t("shared none");
  return sizes.length > 8 ? `${sizes.at(0)} … ${sizes.at(-1)}` : [...sizes].join(", ");
}

function ends([low, high]: readonly [number, number], t: Model["t"]): string {
  const said = low === high ? t("both ends", low) : t("two ends", low, high);
  return Math.min(low, high) < 0 ? t("turned", said) : said;
}

function ofAll({ geometry, t, language }: Model): Line[] {
  const { rows, columns, stored } = matrix(geometry);
  const { multiplications, zero_insertion_multiplications } = geometry.work();
  return [
    [
      t("evenness"),
      reasons(geometry)
        .map((said) => say(said, language))
        .join("; "),
    ],
    [t("matrix C"), t("matrix is", rows, columns, stored, prod([rows, columns]))],
    [t("work"), t("work is", multiplications, zero_insertion_multiplications)],
  ];
}
