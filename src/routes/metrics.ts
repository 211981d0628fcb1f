import { Hono } from "hono";
import { errorText } from "../log.ts";
import { readBreaker } from "../relay/breaker.ts";
import { flushTally } from "../relay/flush-tally.ts";
import { within } from "../relay/within.ts";
import { readMetrics } from "../store/read-metrics.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { familiesOf, type QueueReading } from "./metric-families.ts";
import { exposition, PROMETHEUS_TYPE } from "./prometheus.ts";
import { readQuery } from "./query.ts";

const QUEUE_TIMEOUT_MS = 3_000;

/** `/metrics`: how the relay fares, in Prometheus' text format. */
export const metrics = new Hono<AppEnv>().get("/metrics", requireScope("read"), async (c) => {
  readQuery(c, {});
  const { relay } = c.var;
  await flushTally(relay);
  const [readings, breaker, trials, jobs] = await Promise.all([
    readMetrics(relay.db),
    readBreaker(relay),
    readQueue("trials", relay.trials),
    readQueue("jobs", relay.jobs),
  ]);
  const families = familiesOf({ readings, breaker, queues: [...trials, ...jobs], now: relay.now() });
  return c.body(exposition(families), 200, { "content-type": PROMETHEUS_TYPE });

  /** The other figures do not fail with a queue's; its own are missing then, and an alert on their absence fires. */
  async function readQueue(name: string, queue: Pick<Queue, "metrics">): Promise<QueueReading[]> {
    try {
      return [{ name, metrics: await within(QUEUE_TIMEOUT_MS, queue.metrics()) }];
    } catch (error) {
      relay.log.warn("a queue's figures are missing from /metrics", { queue: name, error: errorText(error) });
      return [];
    }
  }
});
