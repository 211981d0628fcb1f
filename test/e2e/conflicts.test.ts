import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { FAULTS } from "../lib/fault-proxy.ts";
import { unwrap } from "../lib/mlflow-read.ts";
import { AT, lossAt, MINUTE_MS, trialOf } from "../lib/one-trial.ts";
import { type Lab, openLab } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

describe("parameters", () => {
  test("a changed one is a recorded conflict, and everything else arrives", async () => {
    const t = trialOf("changed");
    await lab.relay.send([t.announce(), t.start({ parameters: { lr: 0.1, depth: 3 } }), t.metric(0, 5)]);
    await lab.relay.send([t.complete({ parameters: { lr: 0.2, depth: 3, width: 7 } }), t.metric(1, 4)]);
    await lab.relay.delivered("changed");
    const run = await lab.mlflow.trial("changed", "t");
    expect(run).toMatchObject({ status: "FINISHED", params: { lr: "0.1", depth: "3", width: "7" } });
    expect(run.points).toEqual([lossAt(0, 5), lossAt(1, 4)]);
    const conflict = { trial_id: "t", kind: "param", field: "lr", kept: "0.1", refused: "0.2" };
    expect(lab.relay.store.conflicts("changed")).toEqual([conflict]);
    const shown = await lab.relay.get("/api/ops/conflicts");
    expect(shown.body.conflicts).toMatchObject([{ ...conflict, model_run_id: "changed" }]);
  });

  test("one that means the same is none", async () => {
    const t = trialOf("same meaning");
    const said = { epochs: 1, lr: 1e-7, bias: true, betas: [0.9, 0.99], none: "None" };
    const again = { epochs: "1.0", lr: "0.0000001", bias: "True", betas: "(0.9, 0.99)", none: "null" };
    await lab.relay.send([t.announce(), t.start({ parameters: said }), t.complete({ parameters: again })]);
    await lab.relay.delivered("same meaning");
    expect(lab.relay.store.conflicts("same meaning")).toEqual([]);
    expect((await lab.mlflow.trial("same meaning", "t")).params.epochs).toBe("1");
  });
});

describe("a run that the trainer made itself", () => {
  async function trainersRun(params: Record<string, string>): Promise<string> {
    const { client } = lab.mlflow;
    const made = await client.createExperiment({ name: `own ${crypto.randomUUID()}` });
    const run = await client.createRun({
      experimentId: unwrap(made),
      runName: "own",
      startTime: AT,
      tags: [],
    });
    const { runId } = unwrap(run).info;
    for (const [key, value] of Object.entries(params))
      unwrap(await client.logParameter({ runId, key, value }));
    return runId;
  }

  test("is adopted; parameters in Python's spelling are equal, and another value is a conflict", async () => {
    const mlflow_run_id = await trainersRun({ bias: "True", lr: "1e-07", none: "None", depth: "3" });
    const t = trialOf("adopting");
    const parameters = { bias: true, lr: 1e-7, none: "null", depth: 4, width: 7 };
    await lab.relay.send([t.announce(), t.start({ mlflow_run_id, parameters }), t.metric(0, 5)]);
    await lab.relay.send([t.metric(1, 4), t.complete()]);
    await lab.relay.delivered("adopting");
    const run = await lab.mlflow.run(mlflow_run_id);
    expect(run).toMatchObject({ status: "FINISHED", name: "own", endTime: AT + 90 * MINUTE_MS });
    expect(run.params).toEqual({ bias: "True", lr: "1e-07", none: "None", depth: "3", width: "7" });
    expect(run.points).toEqual([lossAt(0, 5), lossAt(1, 4)]);
    expect(run.tags).toMatchObject({ thunderline_trial_id: "t", thunderline_model_run_id: "adopting" });
    expect(lab.relay.store.conflicts("adopting")).toEqual([
      { trial_id: "t", kind: "param", field: "depth", kept: "3", refused: "4" },
    ]);
    expect((await lab.mlflow.trials("adopting")).size).toBe(0);
  });

  test("belongs to one trial; a second that names it gets its own run, and the conflict is recorded", async () => {
    const mlflow_run_id = await trainersRun({});
    const [first, second] = [trialOf("claimed", "first"), trialOf("claimed", "second")];
    await lab.relay.send([first.announce(), first.start({ mlflow_run_id }), first.metric(0, 1)]);
    await lab.relay.delivered("claimed");
    await lab.relay.send([second.start({ mlflow_run_id }), second.metric(0, 2), second.complete()]);
    await lab.relay.delivered("claimed");
    expect((await lab.mlflow.run(mlflow_run_id)).points).toEqual([lossAt(0, 1)]);
    expect((await lab.mlflow.trial("claimed", "second")).points).toEqual([lossAt(0, 2)]);
    expect(lab.relay.store.conflicts("claimed")).toMatchObject([
      { trial_id: "second", kind: "run_id", field: "mlflow_run_id", refused: mlflow_run_id },
    ]);
  });
});

test("the same event id with another body is a 409, alone and within an array", async () => {
  const t = trialOf("same id");
  await lab.relay.send([t.announce(), t.start(), { ...t.metric(0, 1), event_id: "m" }]);
  const other = { ...t.metric(0, 2), event_id: "m" };
  const alone = await lab.relay.post(JSON.stringify(other));
  expect(alone).toMatchObject({ status: 409, body: { error: "event_id_conflict" } });
  const among = await lab.relay.post(JSON.stringify([other, t.metric(1, 3)]));
  expect(among).toMatchObject({
    status: 202,
    body: {
      accepted: 1,
      rejected: 1,
      results: [
        { index: 0, status: 409 },
        { index: 1, success: true },
      ],
    },
  });
  await lab.relay.delivered("same id");
  expect((await lab.mlflow.trial("same id", "t")).points).toEqual([lossAt(0, 1), lossAt(1, 3)]);
});

test("an item that MLflow refuses is set aside alone", async () => {
  const t = trialOf("poisoned");
  const rule = lab.proxy.fail({ path: "runs/log-batch", body: '"poison"' }, FAULTS.invalidParameter);
  const good = Array.from({ length: 60 }, (_, step) => t.metric(step, step / 3));
  const parameters = { lr: "0.1" };
  await lab.relay.send([t.announce(), t.start({ parameters }), ...good.slice(0, 30)]);
  await lab.relay.send([t.metric(7, 13, "poison"), ...good.slice(30), t.complete()]);
  await lab.relay.delivered("poisoned");
  const run = await lab.mlflow.trial("poisoned", "t");
  expect(run).toMatchObject({ status: "FINISHED", params: parameters });
  expect(run.points).toEqual(good.map((_, step) => lossAt(step, step / 3)).sort());
  expect(rule.hits()).toBeGreaterThan(1);
  const [dead, ...others] = lab.relay.store.deadLetters("poisoned");
  expect(others).toEqual([]);
  expect(dead).toMatchObject({ trial_id: "t", kind: "metric" });
  expect(dead?.reason).toContain("INVALID_PARAMETER_VALUE");
  expect(JSON.parse(dead?.item ?? "")).toMatchObject({ key: "poison", value: 13, step: 7 });
});
