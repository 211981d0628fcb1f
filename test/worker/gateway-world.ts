import { env } from "cloudflare:workers";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { deliverExperiment } from "../../src/relay/delivery/deliver-experiment.ts";
import { deliverModel } from "../../src/relay/delivery/deliver-model.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { FakeExperiments } from "./fake-experiments.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { FakeModels } from "./fake-models.ts";
import { call } from "./gateway-api.ts";
import { recordingQueue } from "./job-tools.ts";

/** What MLflow's clients wrote, and a tracking server in memory to which it is brought. */

const MAX_ROUNDS = 12;
let count = 0;

const TABLES = [
  "gateway_models",
  "gateway_model_links",
  "gateway_model_points",
  "gateway_runs",
  "gateway_experiments",
  "events",
  "metric_chunks",
  "tags",
  "params",
  "agreed",
];

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

/** The streams, and the experiments, of some experiments. */
const STREAMS =
  "id in (select stream_id from gateway_runs where experiment_id in (select value from json_each(?1)))";
const EXPERIMENTS = "id in (select value from json_each(?1))";
const MODELS = "experiment_id in (select value from json_each(?1))";
/** Whatever waits has waited. */
const LATER = [
  `update streams set lease_until = 0, calling_until = null, next_attempt_at = 0,
     fence_until = iif(fence_until is null, null, 0) where ${STREAMS}`,
  `update gateway_experiments set lease_until = 0, next_attempt_at = 0 where ${EXPERIMENTS}`,
  `update gateway_models set lease_until = 0, next_attempt_at = 0,
     create_sent_at = iif(create_sent_at is null, null, 0) where ${MODELS}`,
];
const BEHIND = `
  select (select count(*) from streams where delivered_seq < last_seq and blocked_kind is null and ${STREAMS})
    + (select count(*) from gateway_experiments where delivered_version < version and ${EXPERIMENTS})
    + (select count(*) from gateway_models where delivered_version < version and touched_at is not null and ${MODELS}) as n`;

export function gatewayWorld(vars: Record<string, string> = {}) {
  const experiments = new FakeExperiments();
  const models = new FakeModels();
  const mlflow = new FakeMlflow({ experiments, models });
  const own: string[] = ["0"];
  let aheadMs = 0;
  const { sent, queue } = recordingQueue();
  const deps: Deps = { ...mlflow.deps(vars), trials: queue, now: () => Date.now() + aheadMs };
  const of = (query: string) => env.DB.prepare(query).bind(JSON.stringify(own));
  const idsOf = async (query: string) =>
    (await of(query).all<{ id: number | string }>()).results.map(({ id }) => id);
  const streamOf = async (runId: string) =>
    (await env.DB.prepare("select id from streams where key = ?1 or mlflow_run_id = ?1")
      .bind(runId)
      .first<number>("id")) ?? -1;
  const later = async () => void (await env.DB.batch(LATER.map(of)));
  const isBehind = async () => (await of(BEHIND).first<number>("n")) !== 0;
  return {
    mlflow,
    experiments,
    models,
    deps,
    own,
    streamOf,
    later,
    /** Moves the clock of those who deliver. */
    pass: (ms: number) => {
      aheadMs += ms;
    },
    /** A new experiment's id. */
    experiment: async (name = `world-${++count}`): Promise<string> => {
      const id: string = (await call("experiments/create", { name })).body.experiment_id;
      own.push(id);
      return id;
    },
    messages: () => sent.map(({ body }) => body),
    /** The cron's pass; its report. */
    cron: () => reconcile(deps),
    /** One turn with a run. */
    turn: async (runId: string, by: Deps = deps) => drive(by, await streamOf(runId)),
    /**
     * Turns with the world's experiments and the runs in them, until nothing is behind or none of them helps.
     * @param by who does each: an isolate may die over it
     */
    deliver: async (
      by: (turn: (deps: Deps) => Promise<unknown>) => Promise<unknown> = (turn) => turn(deps),
    ) => {
      for (let n = 0; n < MAX_ROUNDS && (n === 0 || (await isBehind())); n++) {
        mlflow.land(Number.POSITIVE_INFINITY);
        await later();
        for (const id of await idsOf(
          `select id from gateway_experiments where delivered_version < version and ${EXPERIMENTS}`,
        ))
          await by((one) => deliverExperiment(one, String(id)));
        for (const id of await idsOf(`select id from streams where ${STREAMS} order by id desc`))
          await by((one) => drive(one, Number(id)));
        for (const id of await idsOf(
          `select id from gateway_models where delivered_version < version and ${MODELS} order by n desc`,
        ))
          await by((one) => deliverModel(one, String(id)));
      }
      return !(await isBehind());
    },
    /** MLflow's runs by the id that their client knows. */
    runs: () => Map.groupBy(mlflow.runs.values(), ({ tags }) => tags.get("relay.run_id") ?? "none"),
  };
}
