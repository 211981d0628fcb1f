import { errorText } from "../../log.ts";
import { type Deps, flushTally } from "../../relay/deps.ts";
import { readBreaker } from "../../relay/line/breaker.ts";
import { readMetrics } from "../../store/ops/metrics.ts";
import { withDeadline } from "../../waiting.ts";
import { authorize, signedIn } from "../door/auth.ts";
import { countStranger } from "../door/rate.ts";
import { Reply } from "../handler.ts";
import { routes } from "../route.ts";
import { observe } from "./contract.ts";
import { familiesOf, type QueueReading } from "./metric-families.ts";
import { exposition, PROMETHEUS_TYPE } from "./prometheus.ts";
import { forStrangers, readinessOf } from "./readiness.ts";

const QUEUE_TIMEOUT_MS = 3_000;

export const observeRoutes = routes(observe, {
  getHealth: async () => ({ status: "ok" as const }),
  getReady: async ({ c, relay }) => {
    const isKnown =
      c.req.header("authorization") === undefined
        ? (await signedIn(c))?.scopes.includes("read") === true
        : (await authorize(c, "read")) !== null;
    if (!isKnown) await countStranger(c);
    const all = await readinessOf(relay);
    const shown = isKnown ? all : forStrangers(all);
    return all.status === "unavailable" ? new Reply(503, shown) : new Reply(200, shown);
  },
  getMetrics: async ({ c, relay }) => {
    await flushTally(relay);
    const [readings, breaker, trials, jobs, files] = await Promise.all([
      readMetrics(relay.db),
      readBreaker(relay),
      readQueue(relay, "trials", relay.trials),
      readQueue(relay, "jobs", relay.jobs),
      readQueue(relay, "artifacts", relay.files),
    ]);
    const families = familiesOf({
      readings,
      breaker,
      queues: [...trials, ...jobs, ...files],
      now: relay.now(),
    });
    return c.body(exposition(families), 200, { "content-type": PROMETHEUS_TYPE });
  },
});

/** The other figures do not fail with a queue's; its own are missing then, and an alert on their absence fires. */
async function readQueue(
  { log }: Pick<Deps, "log">,
  name: string,
  queue: Pick<Queue, "metrics">,
): Promise<QueueReading[]> {
  try {
    return [{ name, metrics: await withDeadline(QUEUE_TIMEOUT_MS, queue.metrics()) }];
  } catch (error) {
    log.warn("a queue's figures are missing from /metrics", { queue: name, error: errorText(error) });
    return [];
  }
}
