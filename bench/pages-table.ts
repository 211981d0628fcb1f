import { table } from "../test/chaos/table.ts";
import type { PageFigure } from "./pages.ts";
import { round } from "./stats.ts";

/** The figures of the dashboard's pages, in markdown. */
export function pagesTable(figures: readonly PageFigure[]): string {
  return [
    "## In a browser",
    "Chromium beside the relay on the same two cores, from asking for a page to its first paint, and to what it was opened for: rows, or curves. Bytes as they came, uncompressed; on Cloudflare's network they are compressed. The first look at long curves thins them; the same again has them from what was kept.",
    table(
      figures.map(({ page, firstPaintMs, readyMs, bytes, rowsRead }) => ({
        page,
        "first paint, ms": round(firstPaintMs, 0),
        "ready, ms": round(readyMs, 0),
        "kB sent": round(bytes / 1000, 0),
        "rows read": rowsRead,
      })),
    ),
  ].join("\n\n");
}
