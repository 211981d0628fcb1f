import { env } from "cloudflare:workers";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { deliverExperiment } from "../../src/relay/delivery/deliver-experiment.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { experimentsBehind } from "../../src/store/gateway/behind.ts";
import { FakeExperiments } from "./fake-experiments.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { call } from "./gateway-api.ts";
import { recordingQueue } from "./job-tools.ts";

/** What MLflow's clients wrote, and a tracking server in memory to which it is brought. */

const MAX_ROUNDS = 12;
let count = 0;

const TABLES = ["gateway_runs", "gateway_experiments", "events", "metric_points", "tags", "params", "agreed"];

/** Takes away what tests before have left. */
export async function emptied(): Promise<void> {
  const tables = [
    ...TABLES,
    "batches",
    "conflicts",
    "dead_letters",
    "trials",
    "mlflow_runs",
    "mlflow_experiments",
    "streams",
  ];
  await env.DB.batch(tables.map((table) => env.DB.prepare(`delete from ${table}`)));
}

/** Whatever waits has waited. */
const LATER = [
  "update streams set lease_until = 0, calling_until = null, next_attempt_at = 0, fence_until = iif(fence_until is null, null, 0)",
  "update gateway_experiments set lease_until = 0, next_attempt_at = 0",
];

export function gatewayWorld(vars: Record<string, string> = {}) {
  const experiments = new FakeExperiments();
  const mlflow = new FakeMlflow({ experiments });
  let aheadMs = 0;
  const { sent, queue } = recordingQueue();
  const deps: Deps = { ...mlflow.deps(vars), trials: queue, now: () => Date.now() + aheadMs };
  const streamOf = async (runId: string) =>
    (await env.DB.prepare("select id from streams where key = ?1 or mlflow_run_id = ?1")
      .bind(runId)
      .first<number>("id")) ?? -1;
  const later = () => env.DB.batch(LATER.map((query) => env.DB.prepare(query)));
  const isBehind = async () =>
    (await env.DB.prepare(
      `select (select count(*) from streams where delivered_seq < last_seq and blocked_kind is null)
         + (select count(*) from gateway_experiments where delivered_version < version) as n`,
    ).first<number>("n")) !== 0;
  return {
    mlflow,
    experiments,
    deps,
    streamOf,
    later,
    /** Moves the clock of those who deliver. */
    pass: (ms: number) => {
      aheadMs += ms;
    },
    /** A new experiment's id. */
    experiment: async (name = `world-${++count}`): Promise<string> =>
      (await call("experiments/create", { name })).body.experiment_id,
    messages: () => sent.map(({ body }) => body),
    /** The cron's pass; its report. */
    cron: () => reconcile(deps),
    /** One turn with a run. */
    turn: async (runId: string, by: Deps = deps) => drive(by, await streamOf(runId)),
    /** Turns with all there is, until nothing is behind or none of them helps. */
    deliver: async (by: () => Deps = () => deps) => {
      for (let n = 0; n < MAX_ROUNDS && (n === 0 || (await isBehind())); n++) {
        await later();
        for (const id of await experimentsBehind(env.DB, 100)) await deliverExperiment(by(), id);
        const { results } = await env.DB.prepare("select id from streams order by id desc").all<{
          id: number;
        }>();
        for (const { id } of results) await drive(by(), id);
      }
      return !(await isBehind());
    },
    /** MLflow's runs by the id that their client knows. */
    runs: () => Map.groupBy(mlflow.runs.values(), ({ tags }) => tags.get("relay.run_id") ?? "none"),
  };
}
