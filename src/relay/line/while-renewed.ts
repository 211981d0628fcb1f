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
