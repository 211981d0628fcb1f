import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { point, type Snapshot } from "../lib/mlflow-read.ts";
import { chunks, makeStudy } from "../lib/study.ts";
import { type Lab, openLab } from "./lab.ts";

/** An answer that takes long is no failure here: a repeated call would count twice. */
const PATIENT = { MLFLOW_REQUEST_TIMEOUT: "30000" };

let lab: Lab;
beforeAll(async () => {
  lab = await openLab(PATIENT);
});
afterAll(() => lab?.close());

describe("a study of 20 trials, 50 epochs and 6 metrics", () => {
  const study = makeStudy("study", { trials: 20, epochs: 50 });
  let runs: Snapshot[];
  let parent: Snapshot | undefined;

  beforeAll(async () => {
    for (const [i, batch] of chunks(study.events, 150).entries())
      await (i % 2 === 0 ? lab.relay.send(batch) : lab.relay.sendLines(batch));
    await lab.relay.delivered("study");
    runs = await lab.mlflow.runs("study");
    parent = runs.find((run) => run.tags.thunderline_trial_id === undefined);
  });

  test("is one run a trial and a parent run, in the experiment it names", () => {
    const names = runs.map((run) => run.tags.thunderline_trial_id ?? "parent");
    expect(names.sort()).toEqual(["parent", ...study.trials.keys()].sort());
  });

  test.each([...study.trials])("%s lands point for point", (trialId, expected) => {
    const run = runs.find((candidate) => candidate.tags.thunderline_trial_id === trialId);
    expect(run?.points).toEqual(expected.points);
    expect(run?.params).toEqual(expected.params);
    expect(run?.tags).toMatchObject({ ...expected.tags, "mlflow.parentRunId": parent?.runId });
    expect(run?.tags.thunderline_status).toBe(expected.tags.thunderline_status);
    expect(run).toMatchObject({
      status: expected.status,
      startTime: expected.startTime,
      endTime: expected.endTime,
    });
  });

  test("its parent run holds the search's own state", () => {
    const { startTime, endTime } = study;
    expect(parent).toMatchObject({ name: "The search", status: "FINISHED", startTime, endTime });
    expect(parent?.params).toEqual({ requested_trials: "20", search_space_version: "3" });
    expect(parent?.tags).toMatchObject({
      thunderline_model_run_id: "study",
      completed_trials: "20",
      best_trial_id: "trial-3",
    });
    expect(parent?.points).toEqual([point("best_metric", 0, endTime, 0.987)]);
  });

  test("leaves nothing behind: no conflict, no dead letter", () => {
    expect(lab.relay.store.conflicts("study")).toEqual([]);
    expect(lab.relay.store.deadLetters("study")).toEqual([]);
  });

  test("costs MLflow a few calls for each run, however many events it has", () => {
    // Made once, ended once, perhaps with a status tag. Points are sent when a turn finds them, so the number of
    // log-batch calls depends on the pace of the trainer, but each takes whatever has come by then.
    expect(lab.proxy.callsTo("runs/create")).toHaveLength(runs.length);
    expect(lab.proxy.callsTo("runs/update")).toHaveLength(runs.length);
    expect(lab.proxy.callsTo("runs/log-batch").length).toBeLessThanOrEqual(5 * runs.length);
    // One look serves all that end, or are told something else of, at about the same time.
    expect(lab.proxy.callsTo("runs/search").length).toBeLessThanOrEqual(runs.length / 2);
    expect(lab.proxy.callsTo("runs/get")).toEqual([]);
  });
});

test("a trial's 5,000 single-metric events in one request are at most 5 MLflow calls for each 1,000", async () => {
  const before = lab.proxy.calls.length;
  const trial = { model_run_id: "dense", trial_id: "one" };
  const at = Date.UTC(2024, 2, 1);
  const start = { event: "ml.trial.start", ...trial, spectral_norm: false, occurred_at: at };
  const metrics = Array.from({ length: 4_999 }, (_, step) => ({
    event: "ml.run.metric",
    ...trial,
    metric_name: "loss",
    metric_value: 1 / (step + 1),
    step,
    occurred_at: at + step,
  }));
  await lab.relay.sendLines([start, ...metrics]);
  await lab.relay.delivered("dense");
  const run = await lab.mlflow.trial("thunderline-trials", "one");
  const expected = metrics.map((m) => point("loss", m.step, m.occurred_at, m.metric_value));
  expect(run.points).toEqual(expected.sort());
  expect(lab.proxy.calls.length - before).toBeLessThanOrEqual(25);
});

test("more parameters and tags than one call may carry arrive all the same", async () => {
  const of = (count: number, prefix: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, `${prefix} value ${i}`]));
  const parameters = { ...of(250, "p"), "größe/β": "x".repeat(6_000) };
  const metadata = of(230, "m");
  await lab.relay.send([
    {
      event: "ml.trial.start",
      model_run_id: "wide",
      trial_id: "w",
      spectral_norm: true,
      parameters,
      metadata,
    },
    {
      event: "ml.trial.complete",
      model_run_id: "wide",
      trial_id: "w",
      spectral_norm: true,
      metrics: { a: 1 },
    },
  ]);
  await lab.relay.delivered("wide");
  const run = await lab.mlflow.trial("thunderline-trials", "w");
  expect(run.params).toEqual(parameters);
  const tags = Object.entries(metadata).map(([key, value]) => [`metadata.${key}`, value]);
  expect(run.tags).toMatchObject(Object.fromEntries(tags));
  expect(run.status).toBe("FINISHED");
});
