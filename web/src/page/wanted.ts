// Which parameters give the sizes that are wanted: the question of `tconv solve`, and its answers to take.
import { type Options, optionsOf } from "../core/options";
import { solutionsOf } from "../core/solving/asked";
import type { Solution } from "../core/solving/solutions";
import { button, folded, h } from "./dom";
import { attempt, type Change, type Model, type Part } from "./model";
import type { Word } from "./words";

/** Axes that are solved for at once, at most. */
const AXES = 4;
const ASKED = ["coarse", "fine", "scale", "kernel", "stride"] as const;

export function wanted(t: Model["t"], current: () => Model, change: Change): Part {
  const inputs = ASKED.map((name) =>
    h("input", {
      id: `wanted-${name}`,
      autocomplete: "off",
      spellcheck: false,
      oninput: () => answers.replaceChildren(),
    }),
  );
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
      inputs[i]!.value.trim() ? [[name, inputs[i]!.value.normalize("NFKC")]] : [],
    );
    const axes = Math.max(...typed.map(([, text]) => text.split(/[x,×]/).length));
    // The answers for many unlike axes take seconds to combine.
    const [found, error] =
      axes > AXES ? [null, t("too many axes", AXES)] : attempt(() => solutionsOf(Object.fromEntries(typed)));
    if (!found?.found.length) {
      answers.replaceChildren(
        h("p", { class: "alert", role: "alert" }, h("strong", {}, error || `${found!.question}: ${found!.reason}`)),
      );
      return;
    }
    const head = ["take", "kernel", "stride", "padding", "output-padding", "evenness"] as const;
    answers.replaceChildren(
      h(
        "div",
        { class: "scrolled", tabindex: 0, role: "region", "aria-label": t("parameters") },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, ...head.map((word) => h("th", { scope: "col" }, t(word))))),
          h("tbody", {}, ...found.found.map(row)),
        ),
      ),
    );
  }

  function row({ geometry, coverage }: Solution): HTMLTableRowElement {
    const options = optionsOf(geometry);
    const take = button(t("take"), () => change({ options: { ...channels(), ...options }, step: null }), {
      "aria-label": `${t("take")}: ${geometry}`,
    });
    const { kernel, stride = "1", padding = "0", "output-padding": output = "0" } = options;
    const even = h("td", { title: coverage }, t(geometry.isEven ? "even" : "uneven"));
    const numbers = [kernel!, stride, padding, output].map((number) => h("td", {}, number));
    return h("tr", {}, h("td", {}, take), ...numbers, even);
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
