import { PACE, watch } from "./live.ts";

/** Whoever is in the midst of something is not to have it taken away. */
function isInUse(part: Element): boolean {
  return part.matches(":has(:focus, details[open], dialog[open])") || !(getSelection()?.isCollapsed ?? true);
}

/**
 * Keeps the parts of a page that are marked `data-live` as the server has them: the page is asked for again, and each
 * part, by its order, is replaced where it has changed.
 */
export function keepPageFresh(): void {
  if (!document.querySelector("[data-live]")) return;
  watch(
    location.pathname + location.search,
    async (response) => {
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = [...next.querySelectorAll("[data-live]")];
      let hasChanged = false;
      for (const [i, part] of [...document.querySelectorAll("[data-live]")].entries()) {
        const other = fresh[i];
        const isSame = part.getAttribute("data-shown") === other?.innerHTML;
        if (!other || isSame || isInUse(part)) continue;
        other.setAttribute("data-shown", other.innerHTML);
        part.replaceWith(other);
        hasChanged = true;
      }
      if (hasChanged) document.dispatchEvent(new CustomEvent("relay:fresh"));
    },
    { accept: "text/html", firstMs: PACE.shortestMs },
  );
}
