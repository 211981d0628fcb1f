/**
 * The promise's result, or a rejection after `ms`. What the promise stands for goes on: use it only where doing
 * the same thing twice is harmless.
 */
export async function withDeadline<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Is over after `ms`. */
export async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Asks until there is an answer, or for so many pauses in vain.
 * @param ask answers null where it is to be asked again
 * @param pauseMs how long the next pause is
 */
export async function poll<T>(
  pauses: number,
  pauseMs: () => number,
  ask: () => Promise<T | null>,
): Promise<T | null> {
  for (let left = pauses; ; left--) {
    const answer = await ask();
    if (answer !== null || left === 0) return answer;
    await sleep(pauseMs());
  }
}

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

/**
 * Does something that a lock or lease with an end guards, and renews it all the while: work takes as long as its calls
 * do, and what a dead holder left behind is to be gone soon.
 * @param renew may fail now and then: the next one comes before the end
 */
export async function whileRenewed<T>(
  everyMs: number,
  renew: () => Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const timer = setInterval(() => renew().catch(() => undefined), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
