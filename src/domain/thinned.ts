import type { CurvePoint, StepBucket } from "./curve.ts";
import { compareByRecency } from "./observations.ts";

type Numeric = readonly [step: number, timestamp: number, value: number];

/**
 * What is kept of a long curve whose points come in any order: the first and the last, of each bucket the least and the
 * greatest value, and one of each kind of those that are no numbers.
 */
export class Thinned {
  readonly #buckets: readonly StepBucket[];
  readonly #extremes: { least?: Numeric; greatest?: Numeric; marks: Map<string, CurvePoint> }[];
  #first: CurvePoint | undefined;
  #last: CurvePoint | undefined;
  /** The bucket of the point before: the next is mostly in it too. */
  #at = 0;

  /** @param buckets one after the other, with no step between them */
  constructor(buckets: readonly StepBucket[]) {
    this.#buckets = buckets;
    this.#extremes = buckets.map(() => ({ marks: new Map() }));
  }

  /** A point in one of the buckets; others are left out. */
  add(point: CurvePoint): void {
    const [step, timestamp, value] = point;
    const at = this.#extremes[this.#bucketOf(step)];
    if (!at) return;
    if (!this.#first || isBefore(point, this.#first)) this.#first = point;
    if (!this.#last || isBefore(this.#last, point)) this.#last = point;
    if (typeof value === "string") {
      if (!at.marks.has(value)) at.marks.set(value, point);
      return;
    }
    if (!at.least || value < at.least[2]) at.least = [step, timestamp, value];
    if (!at.greatest || value > at.greatest[2]) at.greatest = [step, timestamp, value];
  }

  /** In any order, some perhaps twice. */
  points(): CurvePoint[] {
    const ofBuckets = this.#extremes.flatMap(({ least, greatest, marks }) => [
      least,
      greatest,
      ...marks.values(),
    ]);
    return [this.#first, ...ofBuckets, this.#last].filter((point) => point !== undefined);
  }

  #bucketOf(step: number): number {
    const [first, last] = this.#buckets[this.#at] ?? [0, -1];
    if (step < first || step > last) {
      let [low, high] = [0, this.#buckets.length];
      while (low + 1 < high) {
        const middle = (low + high) >> 1;
        if ((this.#buckets[middle]?.[0] ?? 0) <= step) low = middle;
        else high = middle;
      }
      this.#at = low;
    }
    return this.#at;
  }
}

function isBefore(a: CurvePoint, b: CurvePoint): boolean {
  if (a[0] !== b[0]) return a[0] < b[0];
  const [one, other] = [a, b].map(([step, timestamp, value]) => ({ step, timestamp, value }));
  return one !== undefined && other !== undefined && compareByRecency(one, other) < 0;
}
