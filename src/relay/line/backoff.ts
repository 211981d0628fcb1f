/**
 * Exponential backoff with full jitter: anything from 0 to base × 2^attempts, at most `maxMs`.
 * @param attempts how many were spent before this one
 */
export function backoffMs(
  attempts: number,
  { baseMs, maxMs }: { baseMs: number; maxMs: number },
  random: () => number,
): number {
  return Math.ceil(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempts, 30)));
}
