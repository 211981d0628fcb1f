import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 150;
const LIMIT_MS = 120_000;

/**
 * Polls until `done` says so. There is no other notion of time in these tests, and the limit is far above what a
 * slow machine needs, so that only something that never happens fails.
 * @param context what to add to the message when time runs out
 */
export async function until(
  what: string,
  done: () => boolean | Promise<boolean>,
  context: () => string = () => "",
  limitMs = LIMIT_MS,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await done())) {
    if (Date.now() > deadline)
      throw new Error(`After ${limitMs / 1000} s still waiting until ${what}.\n${context()}`);
    await sleep(POLL_MS);
  }
}
