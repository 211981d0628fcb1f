import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { freePort, startMlflow } from "../scripts/lib/mlflow-server.ts";
import { bareMlflow } from "./mlflow.ts";
import { benchRelay, TRIAL_PARAMETERS, trialEvents } from "./relay.ts";
import { percentile, round, timed } from "./stats.ts";

const TRIALS = 20;
const STEPS = 2_000;
const KEYS = 5;
const POINTS = TRIALS * STEPS * KEYS;
/** The machine's speed varies from minute to minute: each drain is measured against the loops right before and after. */
const ROUNDS = 3;
const LOOP_TRIALS = 6;
const POINTS_A_TRIAL = STEPS * KEYS;
/** Most items of a call, says MLflow. */
const ITEMS_PER_CALL = 1_000;
/** What `mlflow server` starts unless told otherwise. */
const MLFLOW_DEFAULT_WORKERS = 4;
const MODEL_RUN_ID = "drain";

/**
 * A backlog drained, against a bare loop of trials like its own to the same MLflow: as its makers ship it, and with
 * one server process, which the loop alone keeps busy; there with as many calls at once as the server has processes, and
 * as it is without being told. At last the same on a machine that is busy with something else.
 */
export async function delivery(dir: string, say: (line: string) => void) {
  mkdirSync(dir);
  const backlog = join(dir, "backlog");
  say(`delivery: journalling a backlog of ${POINTS} points`);
  await fill(backlog);
  return {
    points: POINTS,
    as_shipped: await measure(dir, backlog, MLFLOW_DEFAULT_WORKERS, say),
    one_process: await measure(dir, backlog, 1, say, { RELAY_MAX_CONCURRENT_CALLS: "1" }),
    one_process_untold: await measure(dir, backlog, 1, say),
    as_shipped_busy: await busily(() => measure(dir, backlog, MLFLOW_DEFAULT_WORKERS, say)),
    one_process_busy: await busily(() => measure(dir, backlog, 1, say, { RELAY_MAX_CONCURRENT_CALLS: "1" })),
  };
}

/** Spins until its stdin ends. */
const SPINNING = `process.stdin.on("end", () => process.exit()).resume();
  const spin = () => { for (const from = Date.now(); Date.now() < from + 50;); setImmediate(spin); }; spin();`;

/** Does it while something else would have every core. */
async function busily<T>(work: () => Promise<T>): Promise<T> {
  const spinning = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ["-e", SPINNING], { stdio: ["pipe", "ignore", "inherit"] }),
  );
  try {
    return await work();
  } finally {
    for (const { stdin } of spinning) stdin.end();
  }
}

async function fill(stateDir: string): Promise<void> {
  const relay = await benchRelay(stateDir, { MLFLOW_ENABLED: "false" });
  await relay.post({
    event: "ml.run.start",
    model_run_id: MODEL_RUN_ID,
    requested_trials: TRIALS,
    search_space_version: 1,
  });
  for (let trial = 0; trial < TRIALS; trial++) {
    const events = trialEvents(MODEL_RUN_ID, `trial-${trial}`, KEYS, STEPS);
    for (let i = 0; i < events.length; i += 5_000) await relay.post(events.slice(i, i + 5_000));
  }
  await relay.settled();
  await relay.stop();
}

async function measure(
  dir: string,
  backlog: string,
  workers: number,
  say: (line: string) => void,
  vars: Record<string, string> = {},
) {
  const own = mkdtempSync(join(dir, "measured-"));
  const dataDir = join(own, "mlflow");
  const mlflow = await startMlflow({ port: await freePort(), dataDir, workers, report: say });
  const peers = async () => ({
    bare: await loop(mlflow.uri, bareTrial),
    careful: await loop(mlflow.uri, carefulTrial),
  });
  await loop(mlflow.uri, bareTrial);
  const rounds: { relay: number; bare: number; share: number; ofCareful: number }[] = [];
  let before = await peers();
  for (let n = 0; n < ROUNDS; n++) {
    say(`delivery: MLflow with ${workers} processes, round ${n + 1} of ${ROUNDS}`);
    const stateDir = join(own, `relay-${n}`);
    cpSync(backlog, stateDir, { recursive: true });
    const relay = await drain(stateDir, mlflow.uri, n, vars);
    const after = await peers();
    const bare = (before.bare + after.bare) / 2;
    const careful = (before.careful + after.careful) / 2;
    rounds.push({
      relay: round(relay, 0),
      bare: round(bare, 0),
      share: round(relay / bare),
      ofCareful: round(relay / careful),
    });
    before = after;
  }
  await mlflow.stop();
  const median = (values: number[]) => percentile(values, 0.5);
  return {
    mlflow_processes: workers,
    relay_points_per_second: median(rounds.map((each) => each.relay)),
    bare_points_per_second: median(rounds.map((each) => each.bare)),
    share: median(rounds.map((each) => each.share)),
    share_of_careful: median(rounds.map((each) => each.ofCareful)),
    shares: rounds.map((each) => each.share),
  };
}

/** Points a second from the cron's first look at the backlog until all of it is in MLflow. */
async function drain(
  stateDir: string,
  uri: string,
  n: number,
  vars: Record<string, string>,
): Promise<number> {
  const relay = await benchRelay(stateDir, {
    MLFLOW_TRACKING_URI: uri,
    MLFLOW_DEFAULT_EXPERIMENT: `drain-${n}`,
    ...vars,
  });
  const start = performance.now();
  await relay.cron();
  await relay.delivered(MODEL_RUN_ID, TRIALS);
  const seconds = (performance.now() - start) / 1000;
  await relay.stop();
  return POINTS / seconds;
}

type Bare = ReturnType<typeof bareMlflow>;

/** Points a second of a loop over trials like the backlog's, whose points `log` logs. */
async function loop(uri: string, log: (bare: Bare, runId: string) => Promise<void>): Promise<number> {
  const bare = bareMlflow(uri);
  const { allMs } = await timed(LOOP_TRIALS, async () => {
    const runId = await bare.createRun("0");
    await bare.logParams(runId, TRIAL_PARAMETERS);
    await log(bare, runId);
    await bare.endRun(runId);
  });
  return (LOOP_TRIALS * POINTS_A_TRIAL * 1000) / allMs;
}

/** A trial's points in calls as full as may be. */
async function bareTrial(bare: Bare, runId: string): Promise<void> {
  for (let sent = 0; sent < POINTS_A_TRIAL; sent += ITEMS_PER_CALL)
    await bare.logBatch(runId, pointsFrom(sent, ITEMS_PER_CALL));
}

/**
 * The same, by one who must know afterwards what was written, as the relay must: each call has a token beside its points,
 * and in the end the run is read, which must have the last.
 */
async function carefulTrial(bare: Bare, runId: string): Promise<void> {
  const points = ITEMS_PER_CALL - 1;
  let token = "";
  for (let sent = 0; sent < POINTS_A_TRIAL; sent += points) {
    token = crypto.randomUUID();
    await bare.logBatch(runId, pointsFrom(sent, Math.min(points, POINTS_A_TRIAL - sent)), token);
  }
  if (!(await bare.hasToken(runId, token))) throw new Error(`run ${runId} lacks what was written last`);
}

function pointsFrom(first: number, count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `metric_${(first + i) % KEYS}`,
    value: 1 / (i + 1),
    timestamp: Date.now(),
    step: Math.floor((first + i) / KEYS),
  }));
}
