import { useEffect } from "hono/jsx/dom";
import { bestTrials, MAX_CURVES } from "../lib/best-trials.ts";
import { labelOf } from "../lib/shown-columns.ts";
import type { TableData } from "../lib/table-data.ts";
import { short } from "./words.ts";

/** Has `#curves` draw those of the trials, or of the best of many by the metric, and says which they are. */
export function CurvesOf({ data, metric }: { data: TableData; metric: string }) {
  const all = data.trials.id;
  const ids = all.length <= MAX_CURVES ? all : bestTrials(data, metric, MAX_CURVES);
  const label = labelOf(metric);
  useEffect(() => draw(ids), [setOf(ids)]);
  return (
    <h2 class="curves-of">
      Curves
      {all.length > MAX_CURVES && (
        <small>{` of the ${MAX_CURVES} best of ${all.length} trials by ${short(label.text)} ${label.kind}`}</small>
      )}
    </h2>
  );
}

/** What draws them stands after this, with a script of its own. */
function draw(ids: readonly string[]): void {
  const section = document.querySelector<HTMLElement>("#curves");
  if (!section || setOf((section.dataset.trials ?? "").split(",")) === setOf(ids)) return;
  section.dataset.trials = ids.join(",");
  section.dispatchEvent(new Event("relay:sources"));
}

const setOf = (ids: readonly string[]) => ids.toSorted().join(",");
