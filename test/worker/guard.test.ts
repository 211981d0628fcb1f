import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { unstored } from "../../src/relay/delivery/already-there.ts";
import { readHistory, readOldSeries } from "../../src/relay/follow/history.ts";
import { underLease } from "../../src/relay/stream/under-lease.ts";
import { wire } from "../../src/wire.ts";
import { idOf, post } from "./api.ts";

const RUN = "a".repeat(32);
const ALL = { from: -1, to: 1_000 };
const POINT = { key: "loss", value: 1, timestamp: 1, step: 1 };

/** The relay's effects over an MLflow that answers every history with one point, and the calls that reached it. */
function world(vars: object = {}) {
  const calls: number[] = [];
  const deps = wire({ ...env, ...vars }, {}, async () => {
    calls.push(Date.now());
    return Response.json({ metrics: [POINT] });
  });
  return { deps, calls };
}

const underALease = async ({ deps }: ReturnType<typeof world>) => {
  const key = await idOf("guarded");
  const id = await env.DB.prepare("select id from streams where key = ?1").bind(key).first<number>("id");
  const items = { metrics: [POINT], params: [], tags: [] };
  const nobody = () => {
    throw new Error("the stream is in other hands");
  };
  return underLease(deps, id ?? 0, nobody, (turn) => unstored(turn, RUN, items));
};

/** The ways to MLflow that pass by delivery. */
const WAYS: Record<string, (w: ReturnType<typeof world>) => Promise<unknown>> = {
  "a call": ({ deps }) => deps.mlflow.getMetricHistory({ runId: RUN, key: "loss" }),
  "the history of a pruned trial": ({ deps }) => readOldSeries(deps.mlflow, RUN, "loss", ALL, 10),
  "a history on demand": ({ deps }) => readHistory(deps, RUN, "loss", ALL, 10),
  "histories read under a lease": underALease,
  "the list of artifacts": ({ deps }) => deps.mlflow.listArtifacts({ runId: RUN }),
  "a client's request that is passed on": ({ deps }) =>
    deps.mlflow.passOn({ method: "GET", path: "/x", headers: new Headers(), body: null, patienceMs: 1_000 }),
  "an artifact": ({ deps }) => deps.mlflow.openArtifact({ runId: RUN, path: "x" }),
};

beforeEach(async () => {
  await env.DB.prepare("delete from breakers").run();
  await env.DB.prepare("delete from history_pages").run();
  await env.DB.prepare(
    `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, synced_at)
     values (?1, '1', 'RUNNING', 'active', 0) on conflict do nothing`,
  )
    .bind(RUN)
    .run();
  await post({ event: "ml.trial.start", model_run_id: "m", trial_id: "guarded", spectral_norm: true });
});

describe.each(Object.entries(WAYS))("%s", (_, go) => {
  test("reaches MLflow", async () => {
    const w = world();
    await go(w);
    expect(w.calls).toHaveLength(1);
  });

  test("waits while the breaker is open", async () => {
    await env.DB.prepare(
      `insert into breakers (server, state, failures, probe_at, last_error, updated_at)
       values ('http://mlflow.test', 'open', 5, 0, 'no route to host', 0)`,
    ).run();
    const w = world();
    await go(w);
    expect(w.calls).toEqual([]);
  });

  test("waits while calls are switched off", async () => {
    const w = world({ MLFLOW_ENABLED: "false" });
    await go(w);
    expect(w.calls).toEqual([]);
  });

  test("takes its place in the row of calls", async () => {
    const w = world({ RELAY_MAX_CALLS_PER_SECOND: "1000" });
    await go(w);
    expect(w.calls).toHaveLength(1);
    expect(await env.DB.prepare("select count(*) as n from breakers where next_call_at > 0").first("n")).toBe(
      1,
    );
  });
});
