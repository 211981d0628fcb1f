import { PACE, watch } from "./live.ts";

/** How soon a part is shown as it is now, once nobody is in the midst of it any more. */
const LOOK_AGAIN_MS = 1_000;

/** Whoever is in the midst of something is not to have it taken away. */
function isInUse(part: Element): boolean {
  return part.matches(":has(:focus, details[open], dialog[open])") || !(getSelection()?.isCollapsed ?? true);
}

/**
 * Keeps the parts of a page that are marked `data-live` as the server has them: the page is asked for again, and each
 * part, by its order, is replaced where it has changed, or as soon as it may be.
 */
export function keepPageFresh(): void {
  if (!document.querySelector("[data-live]")) return;
  const waiting = new Map<number, Element>();
  const show = () => {
    let hasChanged = false;
    const parts = [...document.querySelectorAll("[data-live]")];
    for (const [i, other] of waiting) {
      const part = parts[i];
      const isSame = part?.getAttribute("data-shown") === other.innerHTML;
      if (part && !isSame && isInUse(part)) continue;
      waiting.delete(i);
      if (!part || isSame) continue;
      other.setAttribute("data-shown", other.innerHTML);
      part.replaceWith(other);
      hasChanged = true;
    }
    if (hasChanged) document.dispatchEvent(new CustomEvent("relay:fresh"));
  };
  watch(
    location.pathname + location.search,
    async (response) => {
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const [i, part] of [...next.querySelectorAll("[data-live]")].entries()) waiting.set(i, part);
      show();
    },
    { accept: "text/html", firstMs: PACE.shortestMs },
  );
  setInterval(show, LOOK_AGAIN_MS);
}
