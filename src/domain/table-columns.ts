/** The columns of a table of trials, by the names that the API and the dashboard's addresses have for them. Pure. */

/** What every trial has, whatever its trainer says. */
export const TABLE_FIELDS = [
  "trial_id",
  "run_name",
  "status",
  "spectral_norm",
  "sync_state",
  "started_at",
  "ended_at",
  "duration_ms",
  "rank",
  "mlflow_run_id",
] as const;
export type TableField = (typeof TABLE_FIELDS)[number];

/** Before the first dot of a column of the trainer's own; of a metric `metrics` is the last value. */
export const KEYED_KINDS = ["params", "tags", "metrics", "min", "max", "best"] as const;
export type KeyedKind = (typeof KEYED_KINDS)[number];

/** What a trainer has given some of the trials. */
export type KeyedColumn = { kind: KeyedKind; key: string };
export type Column = { kind: "field"; key: TableField } | KeyedColumn;

/** The column of a name such as `status` or `params.lr`; null where there is no such column. */
export function columnOf(name: string): Column | null {
  const field = TABLE_FIELDS.find((known) => known === name);
  if (field) return { kind: "field", key: field };
  const dot = name.indexOf(".");
  const kind = KEYED_KINDS.find((known) => known === name.slice(0, dot));
  const key = name.slice(dot + 1);
  return kind && key !== "" ? { kind, key } : null;
}

export function nameOf({ kind, key }: Column): string {
  return kind === "field" ? key : `${kind}.${key}`;
}

/** A whole word of a metric's name, as `val_loss`, `train/MSE` or `errorRate` have one. */
const LESS_IS_BETTER =
  /(?:^|[^a-z])(?:loss|losses|error|errors|err|mse|rmse|mae|mape|nll|wer|cer|fid|perplexity|ppl|regret|cost|latency)(?:$|[^a-z])/;

/** Whether the best value of a metric is its least or its greatest, by what its name says. */
export function bestIs(metric: string): "min" | "max" {
  const words = metric.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return LESS_IS_BETTER.test(words) ? "min" : "max";
}

/** A list as one text: commas between its items, those within them behind a backslash. */
export function joinList(items: readonly string[]): string {
  return items.map((item) => item.replace(/[\\,]/g, (char) => `\\${char}`)).join(",");
}

/** The items of such a text; none of an empty one. */
export function splitList(text: string): string[] {
  if (text === "") return [];
  const items = [""];
  for (const [piece] of text.matchAll(/\\[\s\S]|[\s\S]/g)) {
    if (piece === ",") items.push("");
    else
      items.push(
        `${items.pop() ?? ""}${piece.length > 1 && piece.startsWith("\\") ? piece.slice(1) : piece}`,
      );
  }
  return items;
}
