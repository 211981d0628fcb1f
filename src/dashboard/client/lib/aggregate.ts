import { type Cell, numberIn } from "../../../domain/cell-order.ts";

/** What the numbers of a group come to. `std`: of a sample, null for fewer than two. */
export type Aggregate = { count: number; mean: number; min: number; max: number; std: number | null };

/** The finite numbers among some cells, aggregated; null where there are none. */
export function aggregateOf(cells: Iterable<Cell>): Aggregate | null {
  let [count, mean, squares] = [0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const cell of cells) {
    const number = numberIn(cell);
    if (!Number.isFinite(number)) continue;
    // Welford's algorithm: no large squares are taken from each other.
    count++;
    const before = number - mean;
    mean += before / count;
    squares += before * (number - mean);
    min = Math.min(min, number);
    max = Math.max(max, number);
  }
  if (count === 0) return null;
  return { count, mean, min, max, std: count < 2 ? null : Math.sqrt(squares / (count - 1)) };
}
