import { watch } from "./live.ts";
import { type Standing, statusLine } from "./status-line.ts";

/** Keeps the line of the page, where there is one. */
export function keepStatus(): void {
  const line = document.querySelector<HTMLElement>("[data-status]");
  if (!line) return;
  watch("/delivery/standing", async (response) => {
    const standing: Standing = await response.json();
    const { text, kind } = statusLine(standing, Date.now());
    line.textContent = text;
    line.className = `badge ${kind}`;
  });
}
