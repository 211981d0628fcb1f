import { afterAll, beforeAll, expect, test } from "vitest";
import { FAULTS } from "../lib/fault-proxy.ts";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

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
