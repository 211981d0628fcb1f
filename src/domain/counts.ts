/** How much of what was done, by name. */
export type Counts = Record<string, number>;

/** Adds to a count. */
export function count(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}
