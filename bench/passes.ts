import { type Cost, minus, NO_COST, plus } from "./cost.ts";
import { type CountedRelay, sum } from "./counted.ts";

const MAX_PASSES = 20;
/** What differs between one idle pass and another. */
const FEW_ROWS = 10;

/** A pass of the cron that finds nothing to do; what an earlier one left is done before. */
export async function countIdlePass(relay: CountedRelay): Promise<Cost> {
  await relay.count(() => pass(relay));
  return (await relay.count(() => pass(relay))).cron;
}

/**
 * What passes cost until a study that is over is confirmed, read back, pruned and forgotten, beyond what idle ones
 * would have. The relay keeps nothing longer than it must.
 */
export async function countPruning(relay: CountedRelay, idle: Cost): Promise<Cost> {
  let all = NO_COST;
  for (let n = 0; n < MAX_PASSES; n++) {
    const cost = minus(sum(await relay.count(() => pass(relay))), idle);
    all = plus(all, cost);
    if (n > 1 && cost.rowsWritten < FEW_ROWS) break;
  }
  return all;
}

async function pass(relay: CountedRelay): Promise<void> {
  const outcome = await relay.cron();
  if (outcome !== "ok") throw new Error(`the cron's pass ended with ${outcome}`);
}
