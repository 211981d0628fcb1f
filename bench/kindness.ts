import { countingProxy } from "./counting-proxy.ts";
import { type BenchRelay, benchRelay, trialEvents } from "./relay.ts";
import { round } from "./stats.ts";

const BATCH_SIZE = 100;
const BATCHED_TRIALS = 10;
const SINGLE_TRIALS = 4;
const KINDNESS_POINTS = 1_000;

/** MLflow calls for single-metric events, counted by a proxy. */
export async function kindness(stateDir: string, mlflowUri: string) {
  const proxy = await countingProxy(mlflowUri);
  const relay = await benchRelay(stateDir, { MLFLOW_TRACKING_URI: proxy.uri });
  const batched = await callsFor(relay, proxy.counts, "batched", BATCHED_TRIALS, BATCH_SIZE);
  const single = await callsFor(relay, proxy.counts, "single", SINGLE_TRIALS, 1);
  await relay.stop();
  await proxy.close();
  return { sent_in_batches_of_100: batched, sent_one_by_one: single };
}

/** MLflow calls for a model run of a few trials, whose events are posted so many at a time. */
async function callsFor(
  relay: BenchRelay,
  counts: Record<string, number>,
  name: string,
  trials: number,
  size: number,
) {
  for (const endpoint of Object.keys(counts)) delete counts[endpoint];
  await relay.post({
    event: "ml.run.start",
    model_run_id: name,
    requested_trials: trials,
    search_space_version: 1,
  });
  for (let trial = 0; trial < trials; trial++) {
    const events = trialEvents(name, `trial-${trial}`, 1, KINDNESS_POINTS);
    for (let i = 0; i < events.length; i += size) await relay.post(events.slice(i, i + size));
  }
  await relay.post({
    event: "ml.run.stop",
    model_run_id: name,
    state: "completed",
    completed_trials: trials,
  });
  await relay.delivered(name, trials);
  const calls = Object.values(counts).reduce((a, b) => a + b, 0);
  return {
    calls_per_1000_events: round((calls * 1000) / (trials * KINDNESS_POINTS)),
    calls: { ...counts },
  };
}
