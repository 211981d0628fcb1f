import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import * as z from "zod";
import { ensureMlflow } from "../scripts/lib/mlflow-install.ts";
import { pythonEnv } from "../scripts/lib/python-env.ts";
import { table } from "../test/chaos/table.ts";
import { FaultProxy } from "../test/lib/fault-proxy.ts";
import { benchRelay, TOKEN } from "./relay.ts";
import { percentile, round } from "./stats.ts";

const SLOW_MS = 200;
/** The client waits for four minutes before it raises; nobody needs to see the end of that. */
const STOPPED_LIMIT_MS = 60_000;
const LIMIT_MS = 300_000;
const WEATHERS = ["healthy", `slowed by ${SLOW_MS} ms`, "stopped"] as const;

const waits = z.array(z.number());

/** What of a step is spent on logging, in ms; null where the first step did not come back. */
type Added = { p50: number; p99: number } | null;
type Row = { weather: string; direct: Added; relay: Added };

/**
 * The time that logging ten metrics a step with MLflow's Python client adds to a training loop, with MLflow direct and
 * with the relay between, in three weathers. The weather changes once the run is there.
 */
export async function trainingLoop(
  stateDir: string,
  mlflowUri: string,
  say: (line: string) => void,
): Promise<Row[]> {
  const proxy = await FaultProxy.start(mlflowUri);
  const relay = await benchRelay(stateDir, { MLFLOW_TRACKING_URI: proxy.uri });
  const turn = async (weather: string) => {
    if (weather === "stopped") await proxy.stop();
    else if (weather !== "healthy") proxy.fail({}, { kind: "stall", ms: SLOW_MS });
  };
  const rows: Row[] = [];
  for (const weather of WEATHERS) {
    say(`training loop: ${weather}`);
    const limitMs = weather === "stopped" ? STOPPED_LIMIT_MS : LIMIT_MS;
    // Nothing stands between but what makes it slow or absent.
    const uri = weather === "healthy" ? mlflowUri : proxy.uri;
    const direct = await train(uri, `direct, ${weather}`, () => turn(weather), limitMs);
    await heal(proxy);
    const throughRelay = await train(relay.url, `relay, ${weather}`, () => turn(weather), limitMs);
    await heal(proxy);
    rows.push({ weather, direct, relay: throughRelay });
  }
  await relay.stop();
  await proxy.stop();
  return rows;
}

async function heal(proxy: FaultProxy): Promise<void> {
  proxy.heal();
  await proxy.listen();
}

async function train(
  uri: string,
  experiment: string,
  turn: () => Promise<void>,
  limitMs: number,
): Promise<Added> {
  const python = await ensureMlflow("3");
  const script = `${import.meta.dirname}/training_loop.py`;
  const vars = {
    MLFLOW_TRACKING_URI: uri,
    MLFLOW_TRACKING_TOKEN: TOKEN,
  };
  const child = spawn(python, [script, experiment], {
    stdio: ["pipe", "pipe", "ignore"],
    env: pythonEnv(vars),
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ready = await lines.next();
  if (ready.done) throw new Error(`the training loop of "${experiment}" did not start`);
  await turn();
  child.stdin.end("\n");
  const limit = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const last = await lines.next();
  clearTimeout(limit);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  if (last.done) return null;
  const each = waits.parse(JSON.parse(last.value));
  return { p50: round(percentile(each, 0.5), 1), p99: round(percentile(each, 0.99), 1) };
}

/** The same in markdown. */
export function trainingLoopTable(rows: readonly Row[]): string {
  const shown = (added: Added, of: "p50" | "p99") =>
    added ? added[of] : `stands still (over ${STOPPED_LIMIT_MS / 1000} s)`;
  return [
    "## In a training loop",
    "What logging ten metrics a step adds to each step, in ms: `mlflow.log_metrics` of the Python client as it comes, synchronous, with MLflow direct and with `MLFLOW_TRACKING_URI` set to the relay. MLflow slows down or stops once the run has started.",
    table(
      rows.map(({ weather, direct, relay }) => ({
        MLflow: weather,
        "direct, p50": shown(direct, "p50"),
        "direct, p99": shown(direct, "p99"),
        "relay, p50": shown(relay, "p50"),
        "relay, p99": shown(relay, "p99"),
      })),
    ),
  ].join("\n\n");
}
