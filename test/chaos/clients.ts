import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { seeded } from "../../scripts/demo/random.ts";
import type { Answer, Relay } from "../lib/relay.ts";
import { type HeardFiles, putFiles } from "./files.ts";
import { asCall, type Report } from "./traffic.ts";
import type { Heard } from "./trainers.ts";

/** Trainings that log by MLflow's REST API through the relay, as its own client does: no ids, and what fails is sent again. */

const RETRIED = new Set([408, 429, 500, 502, 503, 504]);
const RETRY_MS = 400;
/** As long as the stock client goes on, in the time of these storms. */
const MAX_TRIES = 50;

const created = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const madeExperiment = z.object({ experiment_id: z.string() });
const foundExperiment = z.object({ experiment: madeExperiment });

/** And which trial each run is of, and each trial's files. */
export type HeardByClients = Heard & { trials: Map<string, string>; files: Map<string, HeardFiles> };

/** Plays reports as one training a trial, each call after the one before, over about `ms`. */
export async function logAsClients(
  relay: Relay,
  experiment: string,
  reports: readonly Report[],
  seed: number,
  ms: number,
): Promise<HeardByClients> {
  const heard: HeardByClients = {
    acknowledged: new Set(),
    refused: new Set(),
    trials: new Map(),
    files: new Map(),
  };
  const id = await setExperiment(relay, experiment);
  const trials = Object.entries(Object.groupBy(reports.map(asCall), ({ trialId }) => trialId));
  await Promise.all(
    trials.map(([trialId, calls = []], i) =>
      train(relay, id, trialId, calls, heard, seed + i, ms / calls.length),
    ),
  );
  return heard;
}

async function train(
  relay: Relay,
  experimentId: string,
  trialId: string,
  calls: readonly ReturnType<typeof asCall>[],
  heard: HeardByClients,
  seed: number,
  paceMs: number,
): Promise<void> {
  const random = seeded(seed);
  const tags = [{ key: "thunderline_trial_id", value: trialId }];
  const start = { experiment_id: experimentId, run_name: trialId, start_time: calls[0]?.timestamp, tags };
  const answer = await call(relay, "runs/create", start);
  if (answer?.status !== 200) throw new Error(`no run for ${trialId}: ${JSON.stringify(answer)}`);
  const { run_id } = created.parse(answer.body).run.info;
  heard.trials.set(run_id, trialId);
  const store = `/api/2.0/mlflow-artifacts/artifacts/${experimentId}/${run_id}/artifacts`;
  const putting = putFiles(relay, store, trialId, seed, paceMs * calls.length);
  for (const { index, timestamp, step = 0, metrics, params, ends } of calls) {
    await sleep(paceMs * 2 * random());
    const logged = await call(relay, "runs/log-batch", {
      run_id,
      metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp, step })),
      params: Object.entries(params).map(([key, value]) => ({ key, value })),
    });
    const ended = ends && (await call(relay, "runs/update", { run_id, status: ends, end_time: timestamp }));
    const answers = ended === null ? [logged] : [logged, ended];
    if (answers.every((each) => each?.status === 200)) heard.acknowledged.add(index);
    else if (answers.some((each) => each && each.status !== 200)) heard.refused.add(index);
  }
  heard.files.set(trialId, await putting);
}

/** As the fluent API does it: made unless it is there, which it is after an answer that was lost. */
async function setExperiment(relay: Relay, name: string): Promise<string> {
  const made = await call(relay, "experiments/create", { name });
  if (made?.status === 200) return madeExperiment.parse(made.body).experiment_id;
  const query = new URLSearchParams({ experiment_name: name });
  const found = await again(() => relay.get(`/api/2.0/mlflow/experiments/get-by-name?${query}`));
  return foundExperiment.parse(found?.body).experiment.experiment_id;
}

function call(relay: Relay, path: string, body: object): Promise<Answer | null> {
  return again(() => relay.ask(`/api/2.0/mlflow/${path}`, body));
}

/** Null when it was given up. */
async function again(ask: () => Promise<Answer>): Promise<Answer | null> {
  for (let i = 0; i < MAX_TRIES; i++) {
    const answer = await ask().catch(() => null);
    if (answer && !RETRIED.has(answer.status)) return answer;
    await sleep(RETRY_MS);
  }
  return null;
}
