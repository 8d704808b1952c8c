// The same layer in the words of each framework, to paste; and what has to be known about it.
import { pasted, type Refusal, type Saying } from "../dialects";
import { copied } from "./copying";
import { button, folded, h, select } from "./dom";
import type { Model, Part } from "./model";

/** The framework that is shown stays the same while parameters change. */
export function code(t: Model["t"], chosen: { name: string }): Part {
  const state = h("p", { class: "note" });
  const lines = h("pre", { id: "code", tabindex: 0, "aria-label": t("code") });
  let sayings: (Saying | Refusal)[] = [];

  const names = select({ id: "framework", onchange: () => pick(names.value) }, [], "");
  const element = folded(
    t("code"),
    true,
    h("div", { class: "row" }, h("label", { for: "framework" }, t("framework")), names, copier()),
    state,
    lines,
  );

  function copier(): HTMLElement {
    const mark = h("span", { role: "status" });
    return h(
      "span",
      {},
      button(t("copy"), () => copied(lines.textContent!, lines, mark, t)),
      mark,
    );
  }

  function pick(name: string): void {
    chosen.name = name;
    const said = sayings.find((each) => each.name === name);
    if (!said) return;
    state.textContent = says(said);
    lines.textContent = "refusal" in said ? "" : pasted(said);
    lines.hidden = "refusal" in said;
  }

  function says(said: Saying | Refusal): string {
    if ("refusal" in said) return `${t("refuses")}: ${said.refusal}`;
    return t(said.exact ? "exactly" : "nearly");
  }

  function show(model: Model): void {
    sayings = model.sayings;
    names.replaceChildren(
      ...sayings.map(({ name, title, ...said }) => {
        const exact = "exact" in said ? (said.exact ? "" : ` (${t("nearly")})`) : ` (${t("refuses")})`;
        return h("option", { value: name, selected: name === chosen.name }, title + exact);
      }),
    );
    pick(chosen.name);
  }

  return { element, show };
}
