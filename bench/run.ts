import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startMlflow } from "../scripts/lib/mlflow-server.ts";
import { countingProxy } from "./counting-proxy.ts";
import { delivery } from "./delivery.ts";
import { bareMlflow } from "./mlflow.ts";
import { type BenchRelay, benchRelay, trialEvents } from "./relay.ts";
import { percentile, round, timed } from "./stats.ts";

/**
 * The benchmarks of the README: the relay and bare MLflow calls, against one MLflow in one run. Local figures, from
 * local workerd and SQLite; read the ratios. `--json` prints one JSON object of all figures last.
 */
const SINGLE_EVENTS = 500;
const BATCHES = 100;
const BATCH_SIZE = 100;
const BATCHED_TRIALS = 10;
const SINGLE_TRIALS = 4;
const KINDNESS_POINTS = 1_000;

const dir = mkdtempSync(join(tmpdir(), "trial-relay-bench-"));
const say = (line: string) => console.error(line);
say("starting MLflow");
const mlflow = await startMlflow({ port: await freePort(), dataDir: join(dir, "mlflow"), report: say });
const bare = bareMlflow(mlflow.uri);

const measured = {
  machine: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
  versions: versions(),
  acknowledgement: await acknowledgement(),
  kindness: await kindness(),
};
await mlflow.stop();
const figures = { ...measured, delivery: await delivery(join(dir, "delivery"), say) };
rmSync(dir, { recursive: true, force: true });
print();

async function acknowledgement() {
  say("acknowledgement: one connection, one call after the other");
  // Nothing is delivered meanwhile, so that the two contenders do not share MLflow's time.
  const relay = await benchRelay(join(dir, "ack"), {
    MLFLOW_TRACKING_URI: mlflow.uri,
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

async function kindness() {
  say("kindness: MLflow calls for single-metric events, counted by a proxy");
  const proxy = await countingProxy(mlflow.uri);
  const relay = await benchRelay(join(dir, "kindness"), { MLFLOW_TRACKING_URI: proxy.uri });
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

function versions() {
  const packages = JSON.parse(readFileSync("package.json", "utf8"));
  const requirement = readFileSync("requirements/mlflow-3.txt", "utf8");
  return {
    node: process.version,
    wrangler: packages.devDependencies.wrangler,
    mlflow: /mlflow==(\S+)/.exec(requirement)?.[1],
  };
}

function print() {
  if (process.argv.includes("--json")) console.log(JSON.stringify(figures));
  else console.log(JSON.stringify(figures, null, 2));
}
