import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { companyOf, drive } from "../../src/relay/delivery/drive.ts";
import { databaseAround, type Part } from "../../src/store/database/around.ts";
import { wire } from "../../src/wire.ts";
import { idOf, post, request } from "./api.ts";
import { endless } from "./endless.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { recordingQueue } from "./job-tools.ts";
import { OddMlflow } from "./odd-mlflow.ts";
import { start } from "./payloads.ts";

const ANNOUNCED = {
  event: "ml.run.start",
  model_run_id: "held up",
  requested_trials: 1,
  search_space_version: 1,
};

it("A model run whose own run cannot be made says so itself, and not its trials alone", async () => {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0" });
  await post([ANNOUNCED, start("waits", { model_run_id: "held up" })]);
  const trialId = await env.DB.prepare("select id from streams where trial_id = 'waits'").first<number>("id");
  mlflow.trouble = (endpoint) => (endpoint.startsWith("experiments/") ? "refused" : null);
  await drive(deps, trialId ?? -1);
  const waiting = {
    sync_state: "waiting",
    waiting_for: "retry",
    last_error: expect.stringContaining("not now"),
  };
  const trial = `/api/trials/${await idOf("waits")}`;
  expect((await request("/api/model-runs/held up")).body).toMatchObject(waiting);
  expect((await request(trial)).body).toMatchObject(waiting);

  mlflow.trouble = () => null;
  await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(trialId).run();
  await drive(deps, trialId ?? -1);
  expect((await request("/api/model-runs/held up")).body).toMatchObject({
    sync_state: "pending",
    last_error: null,
    mlflow_run_id: expect.any(String),
  });
});

it("A server that refused to make a model run's run, and asks to be left alone, is asked for it by none of its trials meanwhile", async () => {
  const mlflow = new OddMlflow();
  mlflow.odd = (endpoint) =>
    endpoint === "runs/create" ? { status: 429, headers: { "retry-after": "60" }, body: "{}" } : null;
  const { queue } = recordingQueue();
  const vars = { RELAY_ANNOUNCE_GRACE_SECONDS: "0", TRIALS: queue, JOBS: queue, FILES: queue };
  const deps = endless(wire({ ...env, ...vars }, {}, mlflow.fetch));
  const model_run_id = "left alone";
  await post([
    { ...ANNOUNCED, model_run_id },
    start("one", { model_run_id }),
    start("two", { model_run_id }),
  ]);
  const { results } = await env.DB.prepare("select id from streams where model_run_id = ?1 order by kind")
    .bind(model_run_id)
    .all<{ id: number }>();
  const [modelRun, one, two] = results.map(({ id }) => id);
  const company = companyOf(deps);
  const driven = await Promise.all([modelRun, one].map((id = -1) => drive(deps, id, company)));
  driven.push(await drive(deps, two ?? -1));
  expect(mlflow.calls.filter(({ endpoint }) => endpoint === "runs/create")).toHaveLength(1);
  for (const turn of driven) {
    const poke = "poke" in turn ? turn.poke : null;
    expect(poke).toBeGreaterThan(50_000);
    expect(poke).toBeLessThanOrEqual(60_000);
  }
});

it("A model run that is given up while one of its trials is about to make its run stays given up, and has no run", async () => {
  const mlflow = new FakeMlflow();
  const model_run_id = "given up";
  await post([{ ...ANNOUNCED, model_run_id }, start("last", { model_run_id })]);
  const { results } = await env.DB.prepare("select id from streams where model_run_id = ?1 order by kind")
    .bind(model_run_id)
    .all<{ id: number }>();
  const [parent = -1, trial = -1] = results.map(({ id }) => id);
  let isGivenUp = false;
  const db = databaseAround(env.DB, async (parts, work) => {
    const claims = ({ sql, values }: Part) => /set.*"lease_token" = /s.test(sql) && values.includes(parent);
    if (!isGivenUp && parts.some(claims)) {
      isGivenUp = true;
      await env.DB.prepare("update streams set blocked_kind = 'forgotten' where id = ?1").bind(parent).run();
    }
    return work();
  });
  await drive({ ...mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0" }), db }, trial);
  const row = await env.DB.prepare(
    "select blocked_kind as kind, mlflow_run_id as run, lease_token as lease from streams where id = ?1",
  )
    .bind(parent)
    .first();
  expect([isGivenUp, row]).toEqual([true, { kind: "forgotten", run: null, lease: null }]);
});
