// What a step does, as a sentence for those who do not see the picture.
import { phaseCount } from "../core/explain";
import { named, unflat } from "../draw/cells";
import { letter } from "../draw/lettered";
import { Piece } from "../draw/pieces";
import { sum } from "../draw/views/channels";
import { say as sayScene } from "../draw/words";
import type { Model } from "./model";
import { spans, sumAt } from "./ties";

export function spoken(model: Model): string {
  const { t, step, steps } = model;
  const what = doing(model);
  return steps > 1 ? t("at step", step + 1, steps, what) : what;
}

function doing({ t, state, board, geometry, step, view, language }: Model): string {
  if (state.view === "gather") return sumAt(board, unflat(step, geometry.fine), language);
  if (state.view === "phases" && step < phaseCount(geometry)) {
    return t("step phases", letter(step), new Piece(geometry, step).phase.taps);
  }
  if (state.view === "channels") return sum(board.channels, step).join(" ").replace(/ +/g, " ");
  if (!["scatter", "both", "matrix"].includes(state.view)) return sayScene(view.scene(board, step).title, language);
  const cell = board.coarse(step);
  const inside = geometry.axes.reduce((all, axis, n) => all * axis.projectiveField(cell[n]!).length, 1);
  const [name, field] = [named("x", cell), spans(board, cell)];
  if (state.view === "both") return t("step both", name, field);
  if (state.view === "matrix") return t("step matrix", name, inside, field);
  const products = geometry.kernel.reduce((all, taps) => all * taps, 1);
  return t("step scatter", name, board.x(board.value(cell)), field, inside, products);
}
