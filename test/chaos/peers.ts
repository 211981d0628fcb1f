import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { ensureMlflow } from "../../scripts/lib/mlflow-install.ts";
import { pythonEnv } from "../../scripts/lib/python-env.ts";
import type { PostgresLab } from "../lib/lab.ts";
import type { Event } from "../lib/relay.ts";
import { drain } from "./round.ts";
import { storm } from "./storm.ts";
import { asCall, makeTraffic, type Report } from "./traffic.ts";
import { judge } from "./verdict.ts";
import { makeNetworkStorm } from "./weather.ts";

/**
 * The same traffic through the same storm of the network, three ways: by the relay, and by MLflow's own client,
 * synchronous and asynchronous.
 */
const SIZE = { trials: 6, steps: 50 };
const GUSTS = 8;
const PACE_MS = 400;
const LIMIT_MS = 300_000;

/** What differs from the client's defaults (7 retries, backoff factor 2): it waits for an answer as long as the relay. */
const PEER_ENV = { MLFLOW_HTTP_REQUEST_TIMEOUT: "2" };

const told = z.object({
  versions: z.string(),
  acknowledged: z.array(z.number()),
  /** All the time that trainers stood in calls, and the longest of these. */
  blockedMs: z.number(),
  longestMs: z.number(),
  /** The wait at the end until everything is flushed. */
  exitMs: z.number(),
  errors: z.array(z.string()),
});
type Told = z.infer<typeof told>;

type Trainer = (experiment: string, traffic: { announcement: Event; reports: Report[] }) => Promise<Told>;

/** The contenders' rows for the README. */
export async function comparePeers(lab: PostgresLab, seed: number) {
  const contenders: [string, Trainer][] = [
    ["Trial Relay", (_, traffic) => throughRelay(lab, seed, traffic)],
    ["MLflow client, synchronous", (name, { reports }) => throughClient(lab, seed, "sync", name, reports)],
    ["MLflow client, asynchronous", (name, { reports }) => throughClient(lab, seed, "async", name, reports)],
  ];
  console.error(`MLflow's client with ${JSON.stringify(PEER_ENV)}, and its defaults else`);
  const rows = [];
  for (const [name, trainer] of contenders) {
    console.error(`${name}: seed ${seed}`);
    const experiment = `${name}, seed ${seed}`;
    const traffic = makeTraffic(seed, experiment, SIZE);
    const before = lab.proxy.calls.length;
    const { acknowledged, ...heard } = await trainer(experiment, traffic);
    await drain(lab, experiment);
    const dead = lab.relay.store.deadLetters(experiment);
    const verdict = judge(await lab.mlflow.runs(experiment), traffic.reports, new Set(acknowledged), dead);
    rows.push({
      contender: `${name} (${heard.versions})`,
      sent: verdict.sent,
      acknowledged: verdict.acknowledged,
      "of these missing": verdict.missing.length,
      "missing in all": verdict.absent,
      doubled: verdict.doubled.length,
      "extra runs": verdict.extraRuns.length,
      "dead letters": verdict.dead,
      "errors raised": heard.errors.length,
      "trainers blocked (s)": seconds(heard.blockedMs),
      "longest call (s)": seconds(heard.longestMs),
      "wait at exit (s)": seconds(heard.exitMs),
      "MLflow calls": lab.proxy.calls.length - before,
    });
  }
  return rows;
}

function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}

/** One trainer a trial, an event a request, sent once. */
async function throughRelay(
  lab: PostgresLab,
  seed: number,
  { announcement, reports }: { announcement: Event; reports: Report[] },
): Promise<Told> {
  const acknowledged: number[] = [];
  const waits: number[] = [];
  const errors: string[] = [];
  await lab.relay.send(announcement);
  const indexed = reports.map((report, index) => ({ ...report, index }));
  const train = async (own: typeof indexed) => {
    for (const { event, index } of own) {
      await sleep(PACE_MS);
      const start = performance.now();
      const answer = await lab.relay.post(JSON.stringify(event));
      waits.push(performance.now() - start);
      if (answer.status === 202) acknowledged.push(index);
      else errors.push(String(answer.status));
    }
  };
  const trials = [...Map.groupBy(indexed, ({ trialId }) => trialId).values()];
  await Promise.all([...trials.map(train), storm(lab, makeNetworkStorm(seed, GUSTS), seed)]);
  return {
    versions: "this repository",
    acknowledged,
    blockedMs: waits.reduce((sum, ms) => sum + ms, 0),
    longestMs: Math.max(...waits),
    exitMs: 0,
    errors,
  };
}

async function throughClient(
  lab: PostgresLab,
  seed: number,
  mode: "sync" | "async",
  experiment: string,
  reports: readonly Report[],
): Promise<Told> {
  const python = await ensureMlflow("3");
  const script = `${import.meta.dirname}/peer.py`;
  const child = spawn(python, [script, lab.proxy.uri, mode, experiment], {
    env: pythonEnv(PEER_ENV),
    stdio: ["pipe", "pipe", "inherit"],
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next(); // "ready": imported, and the experiment made in calm
  const plan = { paceMs: PACE_MS, trials: Object.groupBy(reports.map(asCall), ({ trialId }) => trialId) };
  child.stdin.end(`${JSON.stringify(plan)}\n`);
  const [answer] = await Promise.all([lines.next(), storm(lab, makeNetworkStorm(seed, GUSTS), seed)]);
  if (child.exitCode === null) await once(child, "exit");
  return told.parse(JSON.parse(answer.value ?? ""));
}
