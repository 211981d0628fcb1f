/** Columns over the same places: undefined where a line has nothing at a place, null where it is broken. */
export type Column = ArrayLike<number | null | undefined>;

/** Where values stand without a neighbour to draw a line to. */
export function lonely(ys: Column): number[] {
  const found: number[] = [];
  let hasBefore = false;
  let last: number | null = null;
  const end = (hasNext: boolean) => {
    if (last !== null && !hasBefore && !hasNext) found.push(last);
  };
  for (let i = 0; i < ys.length; i++) {
    const y = ys[i];
    if (y === undefined) continue;
    end(y !== null);
    hasBefore = last !== null;
    last = y === null ? null : i;
  }
  end(false);
  return found;
}

/** Where the value nearest to a place stands; where there is none, the place itself. `at`: the place's index. */
export function nearest(xs: ArrayLike<number>, ys: Column, at: number, x: number): number {
  if (typeof ys[at] === "number") return at;
  let [left, right] = [at, at];
  while (left >= 0 && typeof ys[left] !== "number") left--;
  while (right < ys.length && typeof ys[right] !== "number") right++;
  if (left < 0) return right < ys.length ? right : at;
  if (right >= ys.length) return left;
  return x - (xs[left] ?? 0) <= (xs[right] ?? 0) - x ? left : right;
}

/** One place alone is shown with some room on its sides. */
export function widened(
  [min, max]: readonly [number | null, number | null],
  isLog: boolean,
): [number, number] {
  if (min === null || max === null) return isLog ? [1, 10] : [0, 1];
  if (min < max) return [min, max];
  return isLog ? [min / 2, max * 2] : [min - 0.5, max + 0.5];
}
