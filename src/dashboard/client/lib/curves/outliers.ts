import type { Column } from "./columns.ts";

/** So much of the values is left out at either end. */
const LEFT_OUT = 0.05;

/**
 * From where to where most values are that columns have between two places, both in it; null where there are none.
 * @param first and `last`: indexes
 */
export function middleRange(
  columns: readonly Column[],
  first: number,
  last: number,
): [number, number] | null {
  const values: number[] = [];
  for (const column of columns)
    for (let i = first; i <= last; i++) {
      const value = column[i];
      if (typeof value === "number") values.push(value);
    }
  const sorted = Float64Array.from(values).sort();
  const skipped = Math.floor(sorted.length * LEFT_OUT);
  const [from, to] = [sorted[skipped], sorted[sorted.length - 1 - skipped]];
  return from === undefined || to === undefined ? null : [from, to];
}
