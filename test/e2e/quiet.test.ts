import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

const QUIET_AFTER_SECONDS = 1;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab({
    RELAY_QUIET_AFTER_SECONDS: String(QUIET_AFTER_SECONDS),
    RELAY_QUIET_POLICY: "kill",
  });
});
afterAll(() => lab?.close());

/** The other policies differ in what is planned, which a made-up MLflow shows as well. */
test("a silent trainer's trial is marked and killed in MLflow, and comes back", async () => {
  const { relay, mlflow } = lab;
  const study = "silent";
  const event = (name: string, fields: object): Event => ({
    event: name,
    model_run_id: study,
    trial_id: "t",
    ...fields,
  });
  const listed = async () => (await relay.get(`/api/trials?model_run_id=${study}`)).body.trials;
  await relay.send([
    {
      event: "ml.run.start",
      model_run_id: study,
      experiment_name: study,
      requested_trials: 1,
      search_space_version: 1,
    },
    event("ml.trial.start", { spectral_norm: false }),
    event("ml.run.metric", { step: 1, metrics: { loss: 1 } }),
  ]);
  await relay.delivered(study);

  await sleep(QUIET_AFTER_SECONDS * 1000 + 100);
  await relay.cron();
  await relay.delivered(study);
  expect(await listed()).toMatchObject([{ status: "cancelled", lost_contact_at: expect.any(String) }]);
  const silent = await mlflow.trial(study, "t");
  expect(silent.status).toBe("KILLED");
  expect(silent.tags["relay.lost_contact"]).toMatch(/^\d{4}-/);

  await relay.send(event("ml.run.metric", { step: 2, metrics: { loss: 0.5 } }));
  await relay.delivered(study);
  expect(await listed()).toMatchObject([{ status: "running", lost_contact_at: null }]);
  const back = await mlflow.trial(study, "t");
  expect(back.status).toBe("RUNNING");
  expect(back.tags).not.toHaveProperty("relay.lost_contact");
  expect(back.points).toHaveLength(2);

  await relay.send(event("ml.trial.complete", { spectral_norm: false, metrics: {} }));
  await relay.delivered(study);
  expect((await mlflow.trial(study, "t")).status).toBe("FINISHED");
});
