import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Snapshot } from "../lib/mlflow-read.ts";
import { AT, lossAt, MINUTE_MS, trialOf } from "../lib/one-trial.ts";
import { type Lab, openLab } from "./lab.ts";

const SLOW = { kind: "stall", ms: 4_000 } as const;
const BRIEF = { kind: "stall", ms: 1_500 } as const;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab({ MLFLOW_REQUEST_TIMEOUT: "10000" });
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

/** The parent run of a model run, in the experiment of the same name. */
async function parentOf(modelRunId: string): Promise<Snapshot | undefined> {
  return (await lab.mlflow.runs(modelRunId)).find((run) => run.tags.thunderline_trial_id === undefined);
}

test("metrics first, the model run's start within the grace: experiment and nesting are right", async () => {
  const t = trialOf("late start");
  await lab.relay.send(t.metric(0, 1));
  await lab.relay.send([t.start(), t.metric(1, 2)]);
  await lab.relay.send(t.announce());
  await lab.relay.send(t.complete());
  await lab.relay.delivered("late start");
  const run = await lab.mlflow.trial("late start", "t");
  const parent = await parentOf("late start");
  expect(run.tags["mlflow.parentRunId"]).toBe(parent?.runId);
  expect(run.startTime).toBe(AT + MINUTE_MS);
  expect(run.points).toEqual([lossAt(0, 1), lossAt(1, 2)]);
});

test("an end first, the starts within the grace: experiment, start time and nesting are right", async () => {
  const t = trialOf("end first");
  await lab.relay.send([t.complete(), t.stop()]);
  // The end alone must have been looked at, or this shows nothing.
  await lab.relay.until("the end is folded", () =>
    lab.relay.store.behind("end first").every((stream) => stream.folded_seq > 0),
  );
  await lab.relay.send([t.start(), t.announce()]);
  await lab.relay.delivered("end first");
  const run = await lab.mlflow.trial("end first", "t");
  expect(run).toMatchObject({ status: "FINISHED", startTime: AT + MINUTE_MS });
  const parent = await parentOf("end first");
  expect(parent).toMatchObject({ startTime: AT, status: "FINISHED" });
  expect(run.tags["mlflow.parentRunId"]).toBe(parent?.runId);
});

test("a start that names another experiment after the grace is a recorded conflict", async () => {
  const t = trialOf("too late");
  await lab.relay.send([t.start(), t.metric(0, 1)]);
  await lab.relay.delivered("too late");
  await lab.relay.send(t.announce());
  await lab.relay.send([t.metric(1, 2), t.complete()]);
  await lab.relay.delivered("too late");
  const runs = await lab.mlflow.runs("thunderline-trials");
  const run = runs.find((candidate) => candidate.tags.thunderline_model_run_id === "too late");
  expect(run).toMatchObject({ status: "FINISHED", points: [lossAt(0, 1), lossAt(1, 2)] });
  expect(lab.relay.store.conflicts("too late")).toMatchObject([
    { trial_id: "t", kind: "experiment", kept: "thunderline-trials", refused: "too late" },
  ]);
});

/**
 * The pokes of these two tests come in one batch, of which the relay handles six at a time: what is to be handled
 * while another is under way stands behind a crowd.
 */
describe("a model run in whose stream two turns are interested at once", () => {
  test("is delivered, although its own poke came while a trial was making its run", async () => {
    const t = trialOf("trial first");
    const crowd = Array.from({ length: 12 }, (_, i) => trialOf("crowd", `c${i}`).start());
    const rule = lab.proxy.fail({ path: "runs/create", body: "trial first", times: 1 }, SLOW);
    await lab.relay.send([t.start(), ...crowd]);
    await lab.relay.send(t.announce());
    await lab.relay.until("the parent run is being made", () => rule.hits() > 0);
    await lab.relay.delivered("trial first");
    expect((await parentOf("trial first"))?.params).toMatchObject({ requested_trials: "1" });
  });

  test("ends in MLflow too, although a trial folded its end while its run was being made", async () => {
    const blockers = Array.from({ length: 5 }, (_, i) => trialOf("blockers", `b${i}`));
    await lab.relay.send(trialOf("blockers").announce());
    await lab.relay.delivered("blockers");
    const t = trialOf("late fold");
    for (const name of ["b0", "b1", "b2", "b3", "b4"])
      lab.proxy.fail({ path: "runs/create", body: `"${name}"`, times: 1 }, BRIEF);
    const rule = lab.proxy.fail({ path: "runs/create", body: "late fold", times: 1 }, SLOW);
    await lab.relay.send([t.announce(), ...blockers.map((b) => b.start()), t.start()]);
    await lab.relay.until("the parent run is being made", () => rule.hits() > 0);
    await lab.relay.send(t.stop());
    await lab.relay.delivered("late fold");
    const parent = await parentOf("late fold");
    expect(parent).toMatchObject({ status: "FINISHED", endTime: AT + 95 * MINUTE_MS });
    expect(parent?.tags).toMatchObject({ completed_trials: "1" });
  });
});

test("a cancelled trial that did succeed shows no trace of the cancellation", async () => {
  const t = trialOf("revised");
  await lab.relay.send([t.announce(), t.start(), t.cancel()]);
  await lab.relay.delivered("revised");
  expect(await lab.mlflow.trial("revised", "t")).toMatchObject({
    status: "KILLED",
    tags: { thunderline_status: "cancelled" },
  });
  await lab.relay.send(t.complete());
  await lab.relay.delivered("revised");
  const run = await lab.mlflow.trial("revised", "t");
  expect(run.status).toBe("FINISHED");
  expect(run.tags).not.toHaveProperty("thunderline_status");
});
