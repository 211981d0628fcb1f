import * as z from "zod";
import type { CountedRelay } from "./counted.ts";
import { percentile, round, timed } from "./stats.ts";
import type { Study } from "./study.ts";
import type { Figure } from "./turns.ts";

const BATCH = 100;
const TRIAL = "requests";
const TIMES = 100;

type Asked = { what: string; writes: boolean; ask: (headers?: Record<string, string>) => Promise<unknown> };
export type Latency = { what: string; p50_ms: number; p99_ms: number };

/** What each kind of request costs, by itself. */
export async function countRequests(relay: CountedRelay, study: Study): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { what, ask, writes } of await kinds(relay, study)) {
    // An event of a trial whose consumer is on the way already sends no message.
    if (writes) await relay.still();
    const counted = await relay.countNow(ask);
    figures.push({ what, cost: counted.request });
  }
  return figures;
}

/** How long each kind of request takes, one after the other. */
export async function timeRequests(relay: CountedRelay, study: Study): Promise<Latency[]> {
  const latencies: Latency[] = [];
  for (const { what, ask } of await kinds(relay, study)) {
    const { eachMs } = await timed(TIMES, async () => void (await ask()));
    latencies.push({
      what,
      p50_ms: round(percentile(eachMs, 0.5), 1),
      p99_ms: round(percentile(eachMs, 0.99), 1),
    });
  }
  return latencies;
}

/** The kinds, for a trial that is there already; every ask sends other events. */
async function kinds(relay: CountedRelay, study: Study): Promise<Asked[]> {
  await relay.post([study.start(TRIAL), ...study.metrics(TRIAL, 0, BATCH)]);
  const id = trialId.parse(
    JSON.parse(await relay.ask(`/api/trials?model_run_id=${study.name}&trial_id=${TRIAL}`)),
  );
  let step = BATCH;
  const post = (count: number) => (headers?: Record<string, string>) => {
    step += count;
    return relay.post(study.metrics(TRIAL, step, count), headers);
  };
  const get = (path: string): Asked => ({
    what: `\`GET ${path.replace(id, ":id").replace(study.name, ":id")}\``,
    writes: false,
    ask: (headers = {}) => relay.ask(path, { headers }),
  });
  return [
    { what: "`POST /api/events/ml`, one event", writes: true, ask: post(1) },
    { what: `\`POST /api/events/ml\`, ${BATCH} events of a trial`, writes: true, ask: post(BATCH) },
    get("/api/trials"),
    get(`/api/trials?model_run_id=${study.name}`),
    get(`/api/trials/${id}`),
    get(`/api/trials/${id}/metrics/loss`),
    get(`/api/trials/${id}/ledger`),
    get("/api/model-runs"),
    get("/api/experiments"),
    get("/api/runs"),
    get("/metrics"),
    get("/ready"),
  ];
}

const trialId = z
  .object({ trials: z.tuple([z.object({ id: z.string() })]) })
  .transform(({ trials: [{ id }] }) => id);
