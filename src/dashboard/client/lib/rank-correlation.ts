import { type Cell, numberIn } from "../../../domain/cell-order.ts";

/** `rho`: Spearman's coefficient, from -1 to 1; `pairs`: of how many trials. */
export type Correlation = { rho: number; pairs: number };

/** Fewer say nothing. */
const FEWEST_PAIRS = 3;

/**
 * Spearman's rank correlation of two columns, ties by their mean rank: over the trials that have both, a not-a-number
 * being none. Text of two values counts as 0 and 1 in order of the alphabet; of more values it has no rank.
 * @returns null where there is too little, or where one of the two does not vary
 */
export function rankCorrelation(xs: readonly Cell[], ys: readonly Cell[]): Correlation | null {
  const numbers = ranked(xs);
  if (numbers === null) return null;
  const pairs = numbers.flatMap((x, i): [number, number][] => {
    const y = numberIn(ys[i] ?? null);
    return Number.isNaN(x) || Number.isNaN(y) ? [] : [[x, y]];
  });
  if (pairs.length < FEWEST_PAIRS) return null;
  const rho = pearson(ranksOf(pairs.map(([x]) => x)), ranksOf(pairs.map(([, y]) => y)));
  return rho === null ? null : { rho, pairs: pairs.length };
}

/** Cells as numbers, NaN where there is none; null where they have no order. */
function ranked(cells: readonly Cell[]): number[] | null {
  const numbers = cells.map(numberIn);
  const texts = new Set(
    cells.filter((cell, i) => cell !== null && cell !== "NaN" && Number.isNaN(numbers[i])),
  );
  if (texts.size === 0) return numbers;
  const values = [...new Set(cells.filter((cell) => cell !== null).map(String))].sort();
  if (values.length !== 2) return null;
  return cells.map((cell) => (cell === null ? Number.NaN : values.indexOf(String(cell))));
}

/** Ranks from 1 on; equal values share the mean of theirs. */
export function ranksOf(values: readonly number[]): number[] {
  const order = Array.from(values.keys()).sort((i, j) => compare(values[i] ?? 0, values[j] ?? 0));
  const ranks = new Array<number>(values.length).fill(0);
  for (let at = 0; at < order.length; ) {
    let end = at;
    while (end + 1 < order.length && values[order[end + 1] ?? 0] === values[order[at] ?? 0]) end++;
    for (let i = at; i <= end; i++) ranks[order[i] ?? 0] = (at + end) / 2 + 1;
    at = end + 1;
  }
  return ranks;
}

/** Infinities are equal to themselves, which their difference is not. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function pearson(xs: readonly number[], ys: readonly number[]): number | null {
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [mx, my] = [mean(xs), mean(ys)];
  let [xy, xx, yy] = [0, 0, 0];
  for (const [i, x] of xs.entries()) {
    const y = ys[i] ?? 0;
    xy += (x - mx) * (y - my);
    xx += (x - mx) ** 2;
    yy += (y - my) ** 2;
  }
  return xx === 0 || yy === 0 ? null : Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
}
