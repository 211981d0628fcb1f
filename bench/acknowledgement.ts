import { bareMlflow } from "./mlflow.ts";
import { benchRelay } from "./relay.ts";
import { percentile, round, timed } from "./stats.ts";

const SINGLE_EVENTS = 500;
const BATCHES = 100;
const BATCH_SIZE = 100;

/** How long it takes until an event is acknowledged, against a bare call to MLflow: one connection, one after the other. */
export async function acknowledgement(stateDir: string, mlflowUri: string) {
  const bare = bareMlflow(mlflowUri);
  // Nothing is delivered meanwhile, so that the two contenders do not share MLflow's time.
  const relay = await benchRelay(stateDir, {
    MLFLOW_TRACKING_URI: mlflowUri,
    MLFLOW_ENABLED: "false",
  });
  const runId = await bare.createRun("0");
  await timed(50, (i) => bare.logMetric(runId, "warm", i, i));
  const peer = await timed(SINGLE_EVENTS, (i) => bare.logMetric(runId, "loss", 1 / (i + 1), i));
  const event = (trial: string, i: number) => ({
    event: "ml.run.metric",
    model_run_id: "ack",
    trial_id: trial,
    metric_name: "loss",
    metric_value: 1 / (i + 1),
    step: i,
  });
  await timed(50, (i) => relay.post(event("warm", i)));
  const single = await timed(SINGLE_EVENTS, (i) => relay.post(event("single", i)));
  const batched = await timed(BATCHES, (n) =>
    relay.post(Array.from({ length: BATCH_SIZE }, (_, i) => event("batched", n * BATCH_SIZE + i))),
  );
  await relay.stop();
  const rate = (count: number, ms: number) => round((count / ms) * 1000, 0);
  const batchedRate = rate(BATCHES * BATCH_SIZE, batched.allMs);
  const peerRate = rate(SINGLE_EVENTS, peer.allMs);
  const latency = (eachMs: number[]) => ({
    p50_ms: round(percentile(eachMs, 0.5)),
    p99_ms: round(percentile(eachMs, 0.99)),
  });
  return {
    mlflow_log_metric: { ...latency(peer.eachMs), events_per_second: peerRate },
    relay_single: { ...latency(single.eachMs), events_per_second: rate(SINGLE_EVENTS, single.allMs) },
    relay_batches_of_100: { ...latency(batched.eachMs), events_per_second: batchedRate },
    batched_rate_over_mlflow: round(batchedRate / peerRate, 1),
  };
}
