/** Parameters and tags as MLflow's API has them, and by their keys. */

export type Pair = { key: string; value: string };

/** By their keys; of several with one key the last. */
export function toRecord(pairs: readonly Readonly<Pair>[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}

/** One by one. */
export function toPairs(texts: Readonly<Record<string, string>>): Pair[] {
  return Object.entries(texts).map(([key, value]) => ({ key, value }));
}
