import { joinCurve } from "../../../domain/curve.ts";
import type { HeldCurve } from "../lib/curves/curve.ts";
import { el } from "./dom.ts";

/** A reader goes through a table row by row: of a long curve it has those that draw it. */
const MAX_ROWS = 400;

/** The points that are drawn, in words. */
export function curveTable(
  shown: readonly { source: { name: string }; curve: HeldCurve }[],
): HTMLTableElement {
  const each = Math.max(4, Math.floor(MAX_ROWS / Math.max(1, shown.length)));
  const rows = shown.flatMap(({ source, curve }) =>
    joinCurve([curve.points], each).map(([step, timestamp, value]) => [
      source.name,
      String(step),
      new Date(timestamp).toLocaleString(),
      String(value),
    ]),
  );
  const cells = (texts: readonly string[]) => texts.map((textContent) => el("td", { textContent }));
  const heads = ["Trial", "Step", "Time", "Value"].map((textContent) =>
    el("th", { scope: "col", textContent }),
  );
  return el(
    "table",
    { className: "list" },
    el("thead", {}, el("tr", {}, ...heads)),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells(row)))),
  );
}
