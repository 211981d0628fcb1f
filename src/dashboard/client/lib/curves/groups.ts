/** Metrics by the first part of their names, as `train/loss` and `val.loss` have one. */
export type MetricGroup = { prefix: string; keys: string[] };

const byName = new Intl.Collator("en", { numeric: true }).compare;

/** Those without a prefix first, then group by group, each in order of names; numbers in names by their size. */
export function groupMetrics(keys: readonly string[]): MetricGroup[] {
  const groups = Map.groupBy(keys, (key) => /^([^/.]+)[/.]/.exec(key)?.[1] ?? "");
  return [...groups]
    .map(([prefix, mine]) => ({ prefix, keys: mine.toSorted(byName) }))
    .sort((a, b) => byName(a.prefix, b.prefix));
}
