// Copies a text, or selects it where a page may not copy, as in some frames.
import type { Model } from "./model";

export async function copied(text: string, shown: HTMLElement, mark: HTMLElement, t: Model["t"]): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    mark.textContent = t("copied");
  } catch {
    if (shown instanceof HTMLInputElement) shown.select();
    else window.getSelection()?.selectAllChildren(shown);
    mark.textContent = t("copy failed");
  }
}
