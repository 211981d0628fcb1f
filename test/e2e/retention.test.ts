import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { FAULTS } from "../lib/fault-proxy.ts";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

const runAnswer = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const modelAnswer = z.object({ model: z.object({ info: z.object({ model_id: z.string() }) }) });
const STEPS = 400;
const ROUNDS = 4;

let lab: Lab;
beforeAll(async () => {
  // Nothing is kept longer than it takes to see that MLflow has it.
  lab = await openLab({ RELAY_RETENTION_DAYS: "0" });
});
afterAll(() => lab?.close());

function study(name: string): Event[] {
  const of = (event: string, fields: object): Event => ({
    event,
    model_run_id: name,
    trial_id: "t",
    ...fields,
  });
  return [
    {
      event: "ml.run.start",
      model_run_id: name,
      experiment_name: name,
      requested_trials: 1,
      search_space_version: 1,
    },
    of("ml.trial.start", { spectral_norm: true, parameters: { lr: 0.1 } }),
    ...Array.from({ length: STEPS }, (_, step) =>
      of("ml.run.metric", {
        step,
        occurred_at: 1_700_000_000_000 + step,
        metrics: { loss: 1 / (step + 1), acc: step },
      }),
    ),
    of("ml.trial.complete", { spectral_norm: true, metrics: { final: 1 } }),
    { event: "ml.run.stop", model_run_id: name, state: "completed", completed_trials: 1 },
  ];
}

const rows = () => lab.relay.store.kept();

test("under a steady load the journal stays bounded, and what was pruned can still be read", async () => {
  const { relay } = lab;
  const sizes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await relay.send(study(`round-${round}`));
    await relay.delivered(`round-${round}`);
    // The first pass counts the trials on the model run's parent run, which is delivered and pruned in its turn.
    await relay.cron();
    await relay.delivered(`round-${round}`);
    await relay.cron();
    sizes.push(rows().events + rows().points);
  }
  expect(sizes).toEqual(sizes.map(() => 0));

  const { trials } = (await relay.get("/api/trials?model_run_id=round-0")).body;
  expect(trials).toMatchObject([{ status: "succeeded", metrics: { acc: STEPS - 1, final: 1 } }]);
  const [trial] = Array.isArray(trials) ? trials : [];
  const series = await relay.get(`/api/trials/${trial.id}/metrics/acc?from_step=10&to_step=19`);
  expect(series.body.points).toHaveLength(10);
  expect(series.body.points).toMatchObject([
    { step: 10, value: 10, timestamp: 1_700_000_000_010 },
    ...Array(9).fill({}),
  ]);

  // A late repeat of an old event changes nothing in MLflow.
  await relay.send(study("round-0").slice(2, 5));
  await relay.delivered("round-0");
  expect((await lab.mlflow.trial("round-0", "t")).points).toHaveLength(2 * STEPS + 1);
});

test("what MLflow does not have is never pruned", async () => {
  const { relay, proxy } = lab;
  const { events: before } = rows();
  // MLflow takes the points of this study and loses all of them.
  proxy.fail({ path: "runs/log-batch" }, FAULTS.lost);
  await relay.send(study("lost"));
  await relay.delivered("lost");
  proxy.heal();
  await relay.cron();
  expect(rows().events - before).toBeGreaterThan(STEPS);
  const { trials } = (await relay.get("/api/trials?model_run_id=lost")).body;
  const [trial] = Array.isArray(trials) ? trials : [];
  expect((await relay.get(`/api/trials/${trial.id}/verdict`)).body).toMatchObject({ verdict: "differs" });
});

test("points of a logged model that were pruned are shown and searched as before", async () => {
  const { relay } = lab;
  const ask = async (path: string, body: object) => (await relay.ask(`/api/2.0/mlflow/${path}`, body)).body;
  const { experiment_id } = await ask("experiments/create", { name: "models" });
  const { run } = runAnswer.parse(await ask("runs/create", { experiment_id, start_time: 1 }));
  const { run_id } = run.info;
  const { model } = modelAnswer.parse(
    await ask("logged-models", { experiment_id, name: "tree", source_run_id: run_id }),
  );
  const { model_id } = model.info;
  const points = [1 / 3, 1e-300, -12_345.678_9].map((value, step) => ({
    key: "loss",
    value,
    step,
    timestamp: step + 1,
  }));
  const set = { dataset_name: "iris", dataset_digest: "5f" };
  const metrics = points.map((point, i) => ({ ...point, model_id, ...(i === 0 ? set : {}) }));
  await ask("runs/log-batch", { run_id, metrics });
  const search = { experiment_ids: [experiment_id], filter: "metrics.loss < 0 AND name = 'tree'" };
  const seen = async () => [
    (await relay.get(`/api/2.0/mlflow/logged-models/${model_id}`)).body,
    await ask("logged-models/search", search),
  ];
  const before = await seen();
  await relay.until("the model is in MLflow", () => relay.store.clientsBehind().length === 0);
  await relay.cron();
  expect(relay.store.modelPoints()).toBe(0);
  expect(await seen()).toEqual(before);
});
