import { setTimeout as sleep } from "node:timers/promises";

const EVERY_MS = 5 * 60_000;

/** Fires `cron` now and then at every fifth minute of the clock, as Cloudflare would; `wrangler dev` never does. */
export async function keepCron(
  cron: () => Promise<string>,
  signal: AbortSignal,
  report: (line: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    const outcome = await cron().catch((error: unknown) => String(error));
    if (outcome !== "ok" && !signal.aborted) report(`The scheduled handler ended with: ${outcome}`);
    await sleep(EVERY_MS - (Date.now() % EVERY_MS), undefined, { signal }).catch(() => {}); // cut short by a stop
  }
}
