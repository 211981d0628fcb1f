import { el } from "../curves/dom.ts";

/** A button that shows a file, and where it is shown: in a frame that may do nothing. */
export function previewOf(href: string, name: string): Node[] {
  const button = el("button", { type: "button", className: "quiet", textContent: "Preview" });
  button.setAttribute("aria-label", `Preview ${name}`);
  button.setAttribute("aria-expanded", "false");
  const place = el("div", { hidden: true });
  button.addEventListener("click", () => {
    place.hidden = !place.hidden;
    button.setAttribute("aria-expanded", String(!place.hidden));
    // What could not be shown is asked for anew: it may be there by now.
    if (!place.hidden && place.querySelector("iframe") === null) void show(place, href, name);
  });
  return [button, place];
}

/** Asks first whether it can be shown: what a frame fails to show it cannot say. */
async function show(place: HTMLElement, href: string, name: string): Promise<void> {
  const say = (textContent: string) => place.replaceChildren(el("p", { className: "hint", textContent }));
  try {
    const response = await fetch(href);
    if (response.ok) {
      const frame = el("iframe", { className: "preview", title: `Preview of ${name}` });
      frame.setAttribute("sandbox", "");
      frame.src = href;
      place.replaceChildren(frame);
      return;
    }
    const { detail }: { detail?: string } = await response.json();
    say(detail ?? `The relay answers ${response.status}.`);
  } catch {
    say("The relay could not be asked.");
  }
}
