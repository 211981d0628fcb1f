import type { Cell } from "../../../domain/cell-order.ts";
import { columnOf } from "../../../domain/table-columns.ts";
import type { Aggregate } from "../lib/aggregate.ts";
import { aggregateText, cellText, titleOf } from "../lib/cell-text.ts";
import type { TrialRow } from "./model.ts";

/** As the server's own badges have them. */
const KINDS: Readonly<Record<string, string>> = {
  running: "active",
  succeeded: "good",
  synced: "good",
  failed: "bad",
  blocked: "bad",
  waiting: "waiting",
  pending: "waiting",
};

/** What is in a cell, always as text. */
export function CellContent({ name, value, row }: { name: string; value: Cell | Aggregate; row: TrialRow }) {
  const isGroup = row.getIsGrouped();
  if (typeof value === "object" && value !== null)
    return (
      <span class="name" title={titleOf(name, value)}>
        {aggregateText(name, value)}
      </span>
    );
  const text = cellText(name, value);
  if (isGroup && name === row.groupingColumnId)
    return (
      <span class="name" dir="auto" title={titleOf(name, value)}>
        {text || "none"} <small>{row.subRows.length} trials</small>
      </span>
    );
  if (value === null) return null;
  if (name === "trial_id" && !isGroup)
    return (
      <a class="name" dir="auto" href={`/trials/${row.id}`} tabIndex={-1} title={titleOf(name, value)}>
        {text}
      </a>
    );
  if (name === "mlflow_run_id" && !isGroup)
    return (
      <a class="mono" href={`/runs/${encodeURIComponent(text)}`} tabIndex={-1}>
        {text}
      </a>
    );
  if (name === "status" || name === "sync_state")
    return <span class={`badge ${KINDS[text] ?? "over"}`}>{text}</span>;
  return (
    <span class="name" dir="auto" title={titleOf(name, value)}>
      {text}
    </span>
  );
}

/** Whether a column's values stand at the right. */
export function isNumeric(name: string): boolean {
  const column = columnOf(name);
  if (column === null || column.kind === "params" || column.kind === "tags") return false;
  return column.kind !== "field" || column.key === "duration_ms" || column.key === "rank";
}
