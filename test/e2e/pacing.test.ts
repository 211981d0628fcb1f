import { afterAll, beforeAll, expect, test } from "vitest";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

const CALLS_A_SECOND = 5;
const AT_ONCE = 2;
const TRIALS = 8;
/** What the network may take off the distance between two calls. */
const SLACK_MS = 250;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab({
    RELAY_MAX_CALLS_PER_SECOND: String(CALLS_A_SECOND),
    RELAY_MAX_CONCURRENT_CALLS: String(AT_ONCE),
  });
});
afterAll(() => lab?.close());

test("calls to MLflow keep to the bounds on their rate and on how many there are at once", async () => {
  const { relay, proxy, mlflow } = lab;
  const of = (trial: number, event: string, fields: object): Event => ({
    event,
    model_run_id: "paced",
    trial_id: `t${trial}`,
    ...fields,
  });
  const trials = Array.from({ length: TRIALS }, (_, trial) => [
    of(trial, "ml.trial.start", { spectral_norm: false }),
    of(trial, "ml.run.metric", { step: 1, metrics: { loss: trial } }),
    of(trial, "ml.trial.complete", { spectral_norm: false, metrics: {} }),
  ]);
  await relay.send([
    {
      event: "ml.run.start",
      model_run_id: "paced",
      experiment_name: "paced",
      requested_trials: TRIALS,
      search_space_version: 1,
    },
    ...trials.flat(),
  ]);
  await relay.delivered("paced");
  expect((await mlflow.trials("paced")).size).toBe(TRIALS);
  const starts = proxy.calls.map((call) => call.at);
  // A create, a batch and a status for each trial at least.
  expect(starts.length).toBeGreaterThanOrEqual(3 * TRIALS);
  const spans = starts.slice(CALLS_A_SECOND).map((at, i) => at - (starts[i] ?? 0));
  expect(Math.min(...spans)).toBeGreaterThanOrEqual(1000 - SLACK_MS);
  expect(proxy.mostAtOnce).toBeLessThanOrEqual(AT_ONCE);
});
