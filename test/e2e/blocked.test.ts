import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { point, unwrap } from "../lib/mlflow-read.ts";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

const AT = Date.UTC(2025, 0, 1);
const MINUTE = 60_000;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

/** The events of one trial, which lives in an experiment named like its model run. */
function trialOf(modelRunId: string, trialId = "t") {
  const of = (event: string, minute: number, fields: Record<string, unknown>): Event => ({
    event,
    model_run_id: modelRunId,
    trial_id: trialId,
    occurred_at: AT + minute * MINUTE,
    ...fields,
  });
  return {
    start: (fields: object = {}) =>
      of("ml.trial.start", 1, { spectral_norm: false, parameters: { lr: 0.1 }, ...fields }),
    metrics: (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) =>
        of("ml.run.metric", 2, { metric_name: "loss", metric_value: from + i, step: from + i }),
      ),
    complete: () => of("ml.trial.complete", 90, { spectral_norm: false, metrics: { final: 1 } }),
  };
}

function announcement(modelRunId: string): Event {
  return {
    event: "ml.run.start",
    model_run_id: modelRunId,
    occurred_at: AT,
    requested_trials: 1,
    search_space_version: 1,
    experiment_name: modelRunId,
  };
}

/** The points of `metrics(0, to)`; with `complete`, the one without a step stands at the highest. */
function points(to: number, finalStep?: number): string[] {
  const losses = Array.from({ length: to }, (_, step) => point("loss", step, AT + 2 * MINUTE, step));
  const final = finalStep === undefined ? [] : [point("final", finalStep, AT + 90 * MINUTE, 1)];
  return [...losses, ...final].sort();
}

const list = z.object({
  blocked: z.array(
    z.object({
      kind: z.string(),
      trial: z.string().nullable(),
      trial_id: z.string().nullable(),
      blocked_kind: z.string(),
      blocked_on: z.string().nullable(),
      blocked_reason: z.string(),
    }),
  ),
});

async function blockedOf(modelRunId: string, forgotten = false) {
  const query = new URLSearchParams({ model_run_id: modelRunId, forgotten: String(forgotten) });
  return list.parse((await lab.relay.get(`/api/ops/blocked?${query}`)).body).blocked;
}

/** Waits until so many are blocked; what the list says of them. */
async function blocked(modelRunId: string, count = 1) {
  await lab.relay.until(
    `${count} of ${modelRunId} are blocked`,
    async () => (await blockedOf(modelRunId)).length >= count,
  );
  return blockedOf(modelRunId);
}

const unblock = (trial: string | null | undefined, body: object) =>
  lab.relay.ask(`/api/ops/trials/${trial}/unblock`, body);

async function deleteExperiment(name: string): Promise<string> {
  const experiment_id = await lab.mlflow.experimentId(name);
  const response = await fetch(`${lab.proxy.uri}/api/2.0/mlflow/experiments/delete`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ experiment_id }),
  });
  expect(response.status).toBe(200);
  return experiment_id;
}

/** A trial whose run is deleted in MLflow while it runs, and which goes on all the same. */
async function deletedMidTrial(modelRunId: string) {
  const t = trialOf(modelRunId);
  await lab.relay.send([announcement(modelRunId), t.start(), ...t.metrics(0, 20)]);
  await lab.relay.delivered(modelRunId);
  const { runId } = await lab.mlflow.trial(modelRunId, "t");
  unwrap(await lab.mlflow.client.deleteRun(runId));
  await lab.relay.send([...t.metrics(20, 40), t.complete()]);
  const [row] = await blocked(modelRunId);
  expect(row).toMatchObject({ kind: "trial", trial_id: "t", blocked_kind: "gone_run", blocked_on: runId });
  expect(row?.blocked_reason).toContain("must be in the 'active' state");
  return { runId, trial: row?.trial };
}

// Each has its own experiment, so that they need not wait for each other.
describe.concurrent("a run that was deleted in MLflow", () => {
  test("is restored, and everything arrives in it", async () => {
    const { runId, trial } = await deletedMidTrial("restored");
    const changes = [{ change: "restore_run", run_id: runId }, { change: "deliver" }];
    const dry = await unblock(trial, { action: "restore", dry_run: true });
    expect(dry).toMatchObject({ status: 200, body: { dry_run: true, changes } });
    expect((await lab.mlflow.run(runId)).lifecycleStage).toBe("deleted");
    expect((await unblock(trial, { action: "restore" })).body).toMatchObject({ dry_run: false, changes });
    await lab.relay.delivered("restored");
    const run = await lab.mlflow.trial("restored", "t");
    expect(run).toMatchObject({ runId, lifecycleStage: "active", status: "FINISHED" });
    expect(run.points).toEqual(points(40, 39));
    expect(await blockedOf("restored")).toEqual([]);
  });

  test("stays deleted, and a new one holds every point", async () => {
    const { runId, trial } = await deletedMidTrial("recreated");
    const answer = await unblock(trial, { action: "recreate" });
    expect(answer.body.changes).toEqual([{ change: "new_run", instead_of: runId }, { change: "deliver" }]);
    await lab.relay.delivered("recreated");
    const runs = (await lab.mlflow.trials("recreated")).get("t") ?? [];
    const [made, ...others] = runs.filter((run) => run.runId !== runId);
    expect(others).toEqual([]);
    expect(made).toMatchObject({ lifecycleStage: "active", status: "FINISHED", params: { lr: "0.1" } });
    expect(made?.points).toEqual(points(40, 39));
    expect(made?.startTime).toBe(AT + MINUTE);
    expect(await lab.mlflow.run(runId)).toMatchObject({ lifecycleStage: "deleted", points: points(20) });
    expect((await lab.relay.get(`/api/runs/${runId}`)).body).toMatchObject({ lifecycle_stage: "deleted" });
    const verdict = await lab.relay.ask(`/api/ops/trials/${trial}/verify`);
    expect(verdict.body).toMatchObject({ verdict: "confirmed" });
  });

  test("is forgotten: nothing more is sent, the relay keeps it all, and it can be taken up again", async () => {
    const { runId, trial } = await deletedMidTrial("forgotten");
    expect((await unblock(trial, { action: "forget" })).status).toBe(200);
    expect(await blockedOf("forgotten")).toEqual([]);
    const calls = lab.proxy.calls.length;
    await lab.relay.send(trialOf("forgotten").metrics(40, 45));
    await lab.relay.until("the relay has folded it", () =>
      lab.relay.store.behind("forgotten").every((stream) => stream.folded_seq === stream.last_seq),
    );
    await lab.relay.cron();
    const since = lab.proxy.calls.slice(calls).filter((call) => call.body.includes(runId));
    // The cron looks at it; nothing is sent.
    expect(since.filter((call) => call.path !== "runs/search")).toEqual([]);
    expect((await lab.relay.get(`/api/trials/${trial}`)).body).toMatchObject({
      blocked_reason: expect.stringMatching(/^forgotten: gone: /),
      metrics: { loss: { count: 45, last: 44 } },
    });
    expect(await blockedOf("forgotten", true)).toMatchObject([{ trial }]);
    expect((await unblock(trial, { action: "restore" })).status).toBe(200);
    await lab.relay.delivered("forgotten");
    expect((await lab.mlflow.trial("forgotten", "t")).points).toEqual(points(45, 39));
  });

  test("of a model run is made anew, with its trials under it", async () => {
    const id = "the parent";
    const t = trialOf(id);
    await lab.relay.send([announcement(id), t.start(), ...t.metrics(0, 5)]);
    await lab.relay.delivered(id);
    const parentOf = async () =>
      (await lab.mlflow.runs(id)).filter(
        (run) => run.lifecycleStage === "active" && run.tags.thunderline_trial_id === undefined,
      );
    const [old] = await parentOf();
    unwrap(await lab.mlflow.client.deleteRun(old?.runId ?? ""));
    const stop = { event: "ml.run.stop", model_run_id: id, occurred_at: AT + 95 * MINUTE };
    await lab.relay.send([{ ...stop, state: "completed", completed_trials: 1 }, t.complete()]);
    expect(await blocked(id)).toMatchObject([{ kind: "model_run", trial: null }]);
    const path = `/api/ops/model-runs/${encodeURIComponent(id)}/unblock`;
    expect((await lab.relay.ask(path, { action: "recreate" })).status).toBe(200);
    await lab.relay.delivered(id);
    const [made, ...others] = await parentOf();
    expect(others).toEqual([]);
    expect(made).toMatchObject({ status: "FINISHED", startTime: AT, endTime: AT + 95 * MINUTE });
    const run = await lab.mlflow.trial(id, "t");
    expect(run).toMatchObject({ status: "FINISHED", points: points(5, 4) });
    expect(run.tags["mlflow.parentRunId"]).toBe(made?.runId);
  });
});

test("a trial that names a run that is not there gets its own, and the conflict is recorded", async () => {
  const t = trialOf("not there");
  const mlflow_run_id = "0123456789abcdef0123456789abcdef";
  await lab.relay.send([announcement("not there"), t.start({ mlflow_run_id }), ...t.metrics(0, 5)]);
  const [row] = await blocked("not there");
  expect(row).toMatchObject({ blocked_kind: "gone_run", blocked_on: mlflow_run_id });
  expect(await unblock(row?.trial, { action: "restore" })).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining("does not exist") },
  });
  expect((await unblock(row?.trial, { action: "recreate" })).body.changes).toEqual([
    { change: "refuse_run", run_id: mlflow_run_id },
    { change: "new_run", instead_of: null },
    { change: "deliver" },
  ]);
  await lab.relay.delivered("not there");
  expect((await lab.mlflow.trial("not there", "t")).points).toEqual(points(5));
  expect(lab.relay.store.conflicts("not there")).toMatchObject([
    { trial_id: "t", kind: "run_id", field: "mlflow_run_id", refused: mlflow_run_id },
  ]);
});

describe("an experiment that was deleted in MLflow", () => {
  async function deletedUnder(modelRunId: string) {
    const trials = ["a", "b"].map((id) => trialOf(modelRunId, id));
    await lab.relay.send([
      announcement(modelRunId),
      ...trials.flatMap((t) => [t.start(), ...t.metrics(0, 5)]),
    ]);
    await lab.relay.delivered(modelRunId);
    const experimentId = await deleteExperiment(modelRunId);
    await lab.relay.send(trials.flatMap((t) => [...t.metrics(5, 9), t.complete()]));
    return experimentId;
  }

  async function expectAll(modelRunId: string) {
    for (const id of ["a", "b"])
      expect(await lab.mlflow.trial(modelRunId, id)).toMatchObject({
        lifecycleStage: "active",
        status: "FINISHED",
        points: points(9, 8),
      });
  }

  test("is restored with its runs, and every trial in it goes on", async () => {
    const id = "experiment";
    const experiment_id = await deletedUnder(id);
    const [row] = await blocked(id, 2);
    expect(await unblock(row?.trial, { action: "recreate" })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("restore is what is wanted") },
    });
    expect((await unblock(row?.trial, { action: "restore" })).body.changes).toEqual([
      { change: "restore_experiment", experiment_id, name: id, also_frees: 1 },
      { change: "restore_run", run_id: expect.any(String) },
      { change: "deliver" },
    ]);
    await lab.relay.delivered(id);
    await expectAll(id);
  });

  test("is restored without being asked where that is the policy; a run deleted by itself is not", async () => {
    await lab.relay.stop();
    await lab.relay.restart({ RELAY_DELETED_EXPERIMENT: "restore" });
    await deletedUnder("by policy");
    await lab.relay.delivered("by policy");
    await expectAll("by policy");
    const { runId, trial } = await deletedMidTrial("on its own");
    // It comes back by another's hand: to make a second one would be wrong.
    unwrap(await lab.mlflow.client.restoreRun(runId));
    const refused = await unblock(trial, { action: "recreate" });
    expect(refused).toMatchObject({
      status: 409,
      body: { error: "conflict", detail: expect.stringContaining("is not deleted") },
    });
    expect((await unblock(trial, { action: "restore" })).body.changes).toEqual([{ change: "deliver" }]);
    await lab.relay.delivered("on its own");
    expect((await lab.mlflow.trial("on its own", "t")).points).toEqual(points(40, 39));
  });
});
