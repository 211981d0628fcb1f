/** The field's way to smooth a curve. */

/** An interval of the axis counts as so many steps, whatever it is wide: the same weight looks alike on every curve. */
const VIEWPORT = 1_000;

/**
 * An exponential moving average that is weighted by distance and corrected for its beginning, as Weights & Biases
 * and TensorBoard draw it: a constant stays what it is. Null where a value is none; what is beside it goes on.
 * @param xs ascending
 * @param smoothing from 0, which changes nothing, to below 1
 */
export function smooth(
  xs: readonly number[],
  values: readonly (number | null)[],
  smoothing: number,
): (number | null)[] {
  const [first = 0, last = 0] = [xs[0], xs.at(-1)];
  const range = last - first || 1;
  const weight = Math.sqrt(smoothing);
  let [sum, counted, before] = [0, 0, first];
  return values.map((value, i) => {
    if (value === null) return null;
    const x = xs[i] ?? before;
    const share = counted === 0 ? 0 : weight ** (((x - before) / range) * VIEWPORT);
    before = x;
    sum = sum * share + value;
    counted = counted * share + 1;
    return sum / counted;
  });
}
