import { type Cost, plus, times } from "./cost.ts";
import type { Way } from "./ways.ts";

/** A price list, as prices.json holds it: US dollars a million, beyond what a plan includes. */
export type Prices = Record<
  "requests" | "queue_operations" | "rows_read" | "rows_written",
  { per_million: number }
>;

/** A trial's start and end are shared by so many events. */
export const EVENTS_A_TRIAL = 1_000;

/** What one event costs, all in: sent and delivered, its part of its trial's start and end, confirmed and pruned. */
export function allIn({ anEvent }: Way, aTrial: Cost, afterwards: Cost): Cost {
  return [times(aTrial, 1 / EVENTS_A_TRIAL), afterwards].reduce(plus, anEvent);
}

/**
 * The price of a million of something in US dollars, by item. Every invocation is taken for a billed request, also the
 * consumer's. CPU time is not in it: nothing here can measure Cloudflare's.
 */
export function priceOfAMillion(cost: Cost, prices: Prices) {
  const items = {
    requests: cost.invocations * prices.requests.per_million,
    queue: cost.queueOperations * prices.queue_operations.per_million,
    "rows read": cost.rowsRead * prices.rows_read.per_million,
    "rows written": cost.rowsWritten * prices.rows_written.per_million,
  };
  return { ...items, all: Object.values(items).reduce((a, b) => a + b, 0) };
}
