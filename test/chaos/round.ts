import { setTimeout as sleep } from "node:timers/promises";
import { seeded } from "../../scripts/demo/random.ts";
import type { PostgresLab } from "../lib/lab.ts";
import type { Behind, Conflict } from "../lib/relay-store.ts";
import { until } from "../lib/until.ts";
import { logAsClients } from "./clients.ts";
import { lookAtClients } from "./clients-verdict.ts";
import { type HeardFiles, putTrialsFiles } from "./files.ts";
import { acknowledgedFiles, wrongFiles } from "./files-verdict.ts";
import { wrongState } from "./state-verdict.ts";
import { makeStories, type Story, wrongEnd } from "./stories.ts";
import { chaosState, storm } from "./storm.ts";
import { tell } from "./tellers.ts";
import { makeTraffic, type Report, type Traffic } from "./traffic.ts";
import { type Heard, sendTraffic } from "./trainers.ts";
import { judge, together, type Verdict } from "./verdict.ts";
import type { Gust } from "./weather.ts";

export type Round = Verdict & {
  seed: number;
  /** Calls that the proxy spoilt, and strokes of the platform. */
  faults: number;
  /** That were acknowledged. */
  files: number;
  conflicts: number;
  calls: number;
  drainMs: number;
  /** What broke a promise; empty when all is well. */
  problems: string[];
};
export type Size = { trials: number; steps: number };

/** Trainings that log with MLflow's protocol, with values of their own. */
const CLIENTS = 3;
const CLIENTS_SEED = 10_000;
const MS_A_GUST = 2_750;
/** Longer than a lost call may still land, a lease lasts and a retry waits under the settings of the tests. */
const PASS_MS = 20_000;
const PASS_LIMIT_MS = 60_000;
/** Longer than a server is left alone that asks for a day. */
const DRAIN_LIMIT_MS = 180_000;
/** How often the cron may look for what is left over of a storm: doubles and batches that somebody else took. */
const LAST_LOOKS = 4;

/** Traffic through a storm, calm, the backlog drained, and the verdict. The same schedule for the same seed. */
export async function playRound(
  lab: PostgresLab,
  seed: number,
  size: Size,
  gusts: readonly Gust[],
): Promise<Round> {
  const experiment = `chaos ${seed}`;
  const traffic = makeTraffic(seed, experiment, size);
  const byClients = `${experiment}, by clients`;
  const clientTraffic = makeTraffic(seed + CLIENTS_SEED, byClients, { trials: CLIENTS, steps: size.steps });
  const stories = makeStories(experiment);
  const callsBefore = lab.proxy.calls.length;
  // In calm, for it names the experiment, and a run made without it cannot move.
  await lab.relay.send(traffic.announcement);
  const random = seeded(seed);
  const telling = Promise.all(stories.map((story) => tell(lab, experiment, story, random)));
  telling.catch(() => {}); // heard of below
  const ms = gusts.length * MS_A_GUST;
  const trialIds = [...new Set(traffic.reports.map(({ trialId }) => trialId))];
  const [heard, files, clientsHeard, struck] = await Promise.all([
    sendTraffic(lab.relay, traffic, seed, ms),
    putTrialsFiles(lab.relay, experiment, trialIds, seed, ms),
    logAsClients(lab.relay, byClients, clientTraffic.reports, seed, ms),
    storm(lab, gusts, seed),
  ]);
  const told = await keepUp(lab, telling);
  const calm = Date.now();
  await drain(lab, experiment);
  const drainMs = Date.now() - calm;
  // An event after the storm flows.
  const after = makeTraffic(seed, `${experiment}, after`, { trials: 1, steps: 1 });
  await lab.relay.send([after.announcement, ...after.reports.map(({ event }) => event)]);
  await drain(lab, `${experiment}, after`);

  const lookAtAll = async () => {
    const found = await look(lab, experiment, traffic, { ...heard, files }, stories);
    const clients = await lookAtClients(lab, byClients, clientTraffic.reports, clientsHeard);
    return {
      verdict: together(found.verdict, clients.verdict),
      problems: [...found.problems, ...clients.problems],
      conflicts: found.conflicts,
    };
  };
  let found = await lookAtAll();
  for (let i = 0; i < LAST_LOOKS && found.problems.length > 0; i++) {
    await sleep(PASS_MS);
    await lab.relay.cron();
    found = await lookAtAll();
  }
  const problems = [...told.flat(), ...found.problems];
  const breaker = lab.relay.store.breaker();
  if (breaker !== null && breaker !== "closed") problems.push(`the breaker is ${breaker}`);
  const calls = lab.proxy.calls.slice(callsBefore);
  const faults = struck + calls.filter(({ fault }) => fault !== null).length;
  return {
    ...found.verdict,
    seed,
    faults,
    files: acknowledgedFiles([...files.values(), ...clientsHeard.files.values()]),
    conflicts: found.conflicts,
    calls: calls.length,
    drainMs,
    problems,
  };
}

/** The cron goes on while the stories come to their ends. */
async function keepUp<T>({ relay }: PostgresLab, telling: Promise<T>): Promise<T> {
  const pass = setInterval(() => relay.cron().catch(() => {}), PASS_MS);
  return telling.finally(() => clearInterval(pass));
}

/** What MLflow and the relay hold now, and what of it should be otherwise. */
async function look(
  { mlflow, relay: { store } }: PostgresLab,
  experiment: string,
  { reports }: Traffic,
  heard: Heard & { files: Map<string, HeardFiles> },
  stories: readonly Story[],
) {
  const runs = await mlflow.runs(experiment);
  const dead = store.deadLetters(experiment);
  const verdict = judge(runs, reports, heard.acknowledged, dead);
  const conflicts = store.conflicts(experiment);
  const traces = new Set([...store.edited(experiment), ...conflicts.map(({ trial_id }) => trial_id)]);
  const edited = stories.filter((story) => story.edited).map(({ trialId }) => trialId);
  const runOf = (trialId: string) =>
    runs.find((run) => run.lifecycleStage === "active" && run.tags.thunderline_trial_id === trialId);
  const wrongs = await Promise.all(
    [...heard.files].map(([trialId, files]) => {
      const run = runOf(trialId);
      return run ? wrongFiles(mlflow, run.runId, trialId, files) : [];
    }),
  );
  const { missing, doubled, wrong, extraRuns, deadInVain } = verdict;
  const problems = [
    ...missing.map((item) => `missing: ${item}`),
    ...doubled.map((item) => `doubled: ${item}`),
    ...wrong.map((item) => `wrong: ${item}`),
    ...extraRuns.filter((run) => !isRecorded(run, conflicts)).map((run) => `extra run: ${run}`),
    ...deadInVain.map((item) => `set aside without need: ${item}`),
    ...conflicts
      .filter(({ kind, trial_id }) => kind !== "double_run" && !edited.includes(trial_id ?? ""))
      .map((conflict) => `conflict: ${JSON.stringify(conflict)}`),
    ...[...heard.refused].map((index) => `refused: ${JSON.stringify(reports[index]?.event)}`),
    ...wrongStates(reports, heard, runOf).map((item) => `wrong: ${item}`),
    ...wrongs.flat(),
    ...stories.flatMap((story) => {
      const run = runOf(story.trialId);
      return run
        ? wrongEnd(story, run).map((item) => `wrong: ${item}`)
        : [`missing: a run of ${story.trialId}`];
    }),
    ...edited
      .filter((trialId) => !traces.has(trialId))
      .map((trialId) => `an edit without a trace: ${trialId}`),
  ];
  return { verdict, problems, conflicts: conflicts.length };
}

function wrongStates(
  reports: readonly Report[],
  { acknowledged }: Heard,
  runOf: (trialId: string) => Parameters<typeof wrongState>[3] | undefined,
): string[] {
  const indexed = reports.map((report, index) => ({ ...report, index }));
  return [...Map.groupBy(indexed, ({ trialId }) => trialId)].flatMap(([trialId, own]) => {
    const run = runOf(trialId);
    const promised = own.filter(({ index }) => acknowledged.has(index));
    return run ? wrongState(trialId, own, promised, run) : [];
  });
}

function isRecorded(extraRun: string, conflicts: readonly Conflict[]): boolean {
  return conflicts.some(({ kind, refused }) => kind === "double_run" && extraRun.includes(refused));
}

/** The cron goes on as always; after two passes everything acknowledged has come to rest, by itself. */
export async function drain({ relay }: PostgresLab, modelRunId: string): Promise<void> {
  let behind: Behind[] = [];
  let clients: string[] = [];
  const isDrained = async () => {
    const { outstanding, frozen } = await chaosState(relay);
    behind = relay.store.behind(modelRunId);
    clients = relay.store.clientsBehind();
    return outstanding === 0 && !frozen && behind.length === 0 && clients.length === 0;
  };
  for (const limitMs of [PASS_LIMIT_MS, DRAIN_LIMIT_MS]) {
    await relay.cron();
    const deadline = Date.now() + limitMs;
    await until(
      `everything of ${modelRunId} is delivered within two passes of the cron`,
      async () => (await isDrained()) || (limitMs === PASS_LIMIT_MS && Date.now() > deadline),
      () => JSON.stringify({ behind, clients }, null, 1),
      DRAIN_LIMIT_MS,
    );
  }
}
