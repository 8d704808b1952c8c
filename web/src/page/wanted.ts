// Which parameters give the sizes that are wanted: the question of `tconv solve`, and its answers to take.
import { joined, paddingText } from "../core/geometry";
import { type Options, optionsOf } from "../core/options";
import { solutionsOf } from "../core/solving/asked";
import { button, folded, h } from "./dom";
import { attempt, type Change, type Model, type Part } from "./model";
import type { Word } from "./words";

const ASKED = ["coarse", "fine", "scale", "kernel", "stride"] as const;

export function wanted(t: Model["t"], current: () => Model, change: Change): Part {
  const inputs = ASKED.map((name) => h("input", { id: `wanted-${name}`, autocomplete: "off", spellcheck: false }));
  const answers = h("div", { class: "answers", "aria-live": "polite" });
  const ask = h(
    "form",
    {
      class: "fields",
      onsubmit: (event: Event) => {
        event.preventDefault();
        answer();
      },
    },
    ...ASKED.map((name, i) =>
      h("div", { class: "field wide" }, h("label", { for: `wanted-${name}` }, t(name as Word)), inputs[i]!),
    ),
    h("button", { type: "submit" }, t("find")),
  );
  inputs[0]!.value = "32";
  inputs[1]!.value = "64";

  function answer(): void {
    const typed = ASKED.flatMap((name, i): [string, string][] =>
      inputs[i]!.value.trim() ? [[name, inputs[i]!.value]] : [],
    );
    const [found, error] = attempt(() => solutionsOf(Object.fromEntries(typed)));
    if (!found?.found.length) {
      answers.replaceChildren(
        h("p", { role: "alert" }, h("strong", {}, error || `${found!.question}: ${found!.reason}`)),
      );
      return;
    }
    const rows = found.found.map(({ geometry, coverage }) => {
      const { kernel, stride, padding, output_padding } = geometry;
      const numbers = [joined(kernel), joined(stride), paddingText(padding), joined(output_padding)];
      const taken: Options = { ...channels(), ...optionsOf(geometry) };
      return h(
        "tr",
        {},
        ...numbers.map((number) => h("td", {}, number)),
        h("td", { class: "words", title: coverage }, t(geometry.isEven ? "even" : "uneven")),
        h(
          "td",
          {},
          button(t("take"), () => change({ options: taken, step: null }), {
            "aria-label": `${t("take")}: ${geometry}`,
          }),
        ),
      );
    });
    const head = (["kernel", "stride", "padding", "output-padding", "evenness"] as const).map((word) =>
      h("th", { scope: "col" }, t(word)),
    );
    answers.replaceChildren(
      h(
        "div",
        { class: "scrolled", tabindex: 0, role: "region", "aria-label": t("parameters") },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, ...head, h("th", { scope: "col" }, t("take")))),
          h("tbody", {}, ...rows),
        ),
      ),
    );
  }

  function channels(): Options {
    const { options } = current().state;
    return Object.fromEntries(
      Object.entries(options).filter(([name]) => name.endsWith("channels") || name === "groups"),
    );
  }

  return {
    element: folded(t("wanted"), false, h("p", { class: "note" }, t("wanted hint")), ask, answers),
    show: () => {},
  };
}
