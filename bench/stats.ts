/** The value below which the share `p` (0 to 1) of the samples lies. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

/** Milliseconds of each call, one after the other, and of them all. */
export async function timed(
  count: number,
  call: (i: number) => Promise<void>,
): Promise<{ eachMs: number[]; allMs: number }> {
  const eachMs: number[] = [];
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    await call(i);
    eachMs.push(performance.now() - before);
  }
  return { eachMs, allMs: performance.now() - start };
}

export const round = (value: number, digits = 2) => Number(value.toFixed(digits));
