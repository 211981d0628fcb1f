import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { ensureMlflow } from "../lib/mlflow-install.ts";
import { pythonEnv } from "../lib/python-env.ts";
import { ownMlflow } from "../start/mlflow-pid.ts";
import { type Confirmation, confirmRun } from "./confirm.ts";
import type { RelayClient } from "./relay-client.ts";
import type { Trial } from "./search.ts";

const STOP_AFTER_TRIALS = 3;
const POLL_MS = 500;

const logged = z.object({
  trial: z.string(),
  run_id: z.string(),
  accuracy: z.number().nullable(),
  points: z.array(z.object({ key: z.string(), step: z.number(), timestamp: z.number(), value: z.number() })),
  calls_ms: z.array(z.number()),
});
type Logged = z.infer<typeof logged>;

/**
 * The same search by MLflow's unmodified Python client, whose tracking server is the relay. MLflow is stopped in the
 * middle of it, where it is the one of `npm start`, which starts it again by itself.
 * @param mlflow MLflow's address, `headers` those with which it lets us in
 * @returns whether MLflow has every point in the end, and nothing else
 */
export async function searchByClient(
  relay: RelayClient,
  trials: Trial[],
  mlflow: { uri: string; headers: Record<string, string> },
  limitMs: number,
): Promise<boolean> {
  const experiment = "two-moons-demo-client";
  console.log(
    `The same by MLflow's Python client, MLFLOW_TRACKING_URI=${relay.url}, experiment ${experiment}`,
  );
  const done: Logged[] = [];
  for await (const trial of train(relay, experiment, trials)) {
    done.push(trial);
    const { accuracy } = trial;
    const outcome = accuracy === null ? "diverged, as it should" : `val_accuracy ${accuracy.toFixed(3)}`;
    console.log(`  ${trial.trial}  ${outcome}`);
    if (done.length === STOP_AFTER_TRIALS) await stopMlflow(mlflow.uri);
  }
  const calls = done.flatMap(({ calls_ms }) => calls_ms);
  const longest = Math.max(...calls).toFixed(0);
  console.log(`  ${calls.length} calls of the client, the longest of ${longest} ms. Now MLflow catches up:`);
  const check = await confirmed(relay, done, mlflow, limitMs);
  const accepted = done.flatMap(({ points }) => points).length;
  console.log(
    `  Points: ${accepted} logged, ${check.confirmed} confirmed in MLflow (value, step and time).\n`,
  );
  return check.confirmed === accepted && check.unexpected === 0;
}

/** Each trial as it is done. */
async function* train(relay: RelayClient, experiment: string, trials: Trial[]): AsyncGenerator<Logged> {
  const python = await ensureMlflow("3", console.log);
  const vars = {
    MLFLOW_TRACKING_URI: relay.url,
    MLFLOW_TRACKING_TOKEN: relay.token,
    MLFLOW_LOGGING_LEVEL: "WARNING",
    // The last trial's weights are to grow out of bounds.
    PYTHONWARNINGS: "ignore",
  };
  const child = spawn(python, [`${import.meta.dirname}/search.py`], {
    stdio: ["pipe", "pipe", "inherit"],
    env: pythonEnv(vars),
  });
  const ended = once(child, "close");
  child.stdin.end(`${JSON.stringify({ experiment, trials })}\n`);
  for await (const line of createInterface({ input: child.stdout })) yield logged.parse(JSON.parse(line));
  const [code] = await ended;
  if (code !== 0) throw new Error(`The training with MLflow's client failed (${code}).`);
}

async function stopMlflow(uri: string): Promise<void> {
  const pid = await ownMlflow(uri);
  if (pid === null) {
    console.log("  (MLflow is not the one of `npm start`, so it is not stopped)");
    return;
  }
  process.kill(-pid, "SIGTERM");
  console.log("  MLflow is stopped. The training goes on:");
}

/** Waits until the relay has delivered all, or gives up; then counts what MLflow has. */
async function confirmed(
  relay: RelayClient,
  trials: Logged[],
  { uri, headers }: { uri: string; headers: Record<string, string> },
  limitMs: number,
): Promise<Confirmation> {
  const deadline = Date.now() + limitMs;
  const isDelivered = async ({ run_id }: Logged) => (await relay.trial(run_id)).sync_state === "synced";
  for (const trial of trials)
    while (!(await isDelivered(trial)) && Date.now() < deadline) await sleep(POLL_MS);
  const sum: Confirmation = { confirmed: 0, missing: 0, unexpected: 0 };
  for (const { run_id, points } of trials) {
    const { mlflow_run_id } = await relay.trial(run_id);
    const check = mlflow_run_id
      ? await confirmRun(uri, headers, mlflow_run_id, points)
      : { confirmed: 0, missing: points.length, unexpected: 0 };
    sum.confirmed += check.confirmed;
    sum.missing += check.missing;
    sum.unexpected += check.unexpected;
  }
  return sum;
}
