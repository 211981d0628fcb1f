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
