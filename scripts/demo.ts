import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { searchByClient } from "./demo/by-client.ts";
import { confirmRun } from "./demo/confirm.ts";
import { twoMoons } from "./demo/moons.ts";
import { seeded } from "./demo/random.ts";
import { RelayClient, type RelayTrial } from "./demo/relay-client.ts";
import { isComplete, type Row, renderReport } from "./demo/report.ts";
import { newEvent, runTrial, type TrialOutcome } from "./demo/run-trial.ts";
import { EPOCHS, sampleTrials } from "./demo/search.ts";
import { targetOf } from "./lib/mlflow-target.ts";
import { readLocalVars } from "./start/settings.ts";

const SEED = 7;
const DELIVERY_LIMIT_MS = 180_000;

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});

async function main(): Promise<void> {
  const localVars = await readLocalVars();
  const relay = await connect(localVars.ADMIN_TOKEN);
  const modelRunId = `two-moons-${randomUUID().slice(0, 8)}`;
  const outcomes = await search(relay, modelRunId);
  const delivered = await untilDelivered(relay, modelRunId, outcomes.length);

  const mlflow = await relay.mlflowUri();
  const headers = Object.fromEntries(targetOf(mlflow, localVars, process.env).headers);
  const rows: Row[] = [];
  for (const outcome of outcomes) {
    const { trial, points } = outcome;
    const found = delivered.find(({ trial_id }) => trial_id === trial.id);
    const runId = found?.mlflow_run_id;
    const nothing = { confirmed: 0, missing: points.length, unexpected: 0 };
    rows.push({ outcome, found, check: runId ? await confirmRun(mlflow, headers, runId, points) : nothing });
  }
  console.log(renderReport(rows, mlflow, relay.answerTimesMs));
  const trials = outcomes.map(({ trial }) => trial);
  const isCaughtUp = await searchByClient(relay, trials, { uri: mlflow, headers }, DELIVERY_LIMIT_MS);
  if (!rows.every(isComplete) || !isCaughtUp)
    throw new Error("Not everything that was reported is in MLflow.");
}

async function connect(localToken: string | undefined): Promise<RelayClient> {
  const url = (process.env.RELAY_URL || "http://127.0.0.1:8787").replace(/\/$/, "");
  const token = process.env.RELAY_TOKEN || localToken;
  const answers = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
  if (!answers?.ok)
    throw new Error(`No relay answers at ${url}. Start one with \`npm start\`, or set RELAY_URL.`);
  if (!token) throw new Error("No token: set RELAY_TOKEN, or ADMIN_TOKEN in .dev.vars.");
  return new RelayClient(url, token);
}

/** A random search over small networks, reported as a trainer would report it. */
async function search(relay: RelayClient, modelRunId: string): Promise<TrialOutcome[]> {
  const random = seeded(SEED);
  const data = { training: twoMoons(random, 400), validation: twoMoons(random, 200) };
  const trials = sampleTrials(random);
  const outcomes: TrialOutcome[] = [];
  console.log(`${modelRunId}: ${trials.length} trials of ${EPOCHS} epochs, reported to ${relay.url}`);

  const start = {
    requested_trials: trials.length,
    search_space_version: 1,
    experiment_name: "two-moons-demo",
  };
  await relay.send([
    { ...newEvent("ml.run.start"), model_run_id: modelRunId, run_name: modelRunId, ...start },
  ]);
  for (const trial of trials) {
    const outcome = await runTrial(relay, modelRunId, trial, data);
    outcomes.push(outcome);
    console.log(
      `  ${trial.id}  ${outcome.diverged ? "diverged, as it should" : `val_accuracy ${outcome.valAccuracy.toFixed(3)}`}`,
    );
  }
  const best = outcomes.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a));
  const result = {
    best_metric: best.valAccuracy,
    best_trial_id: best.trial.id,
    completed_trials: outcomes.filter((o) => !o.diverged).length,
  };
  await relay.send([{ ...newEvent("ml.run.stop"), model_run_id: modelRunId, state: "completed", ...result }]);
  return outcomes;
}

/** Waits until all trials are in MLflow, or gives up and answers what there is. */
async function untilDelivered(
  relay: RelayClient,
  modelRunId: string,
  expected: number,
): Promise<RelayTrial[]> {
  const deadline = Date.now() + DELIVERY_LIMIT_MS;
  let shown = -1;
  for (;;) {
    const trials = await relay.trials(modelRunId);
    const synced = trials.filter((trial) => trial.sync_state === "synced").length;
    if (synced !== shown) console.log(`  ${synced} of ${expected} trials delivered to MLflow`);
    shown = synced;
    if (synced === expected || Date.now() > deadline) return trials;
    await sleep(500);
  }
}
