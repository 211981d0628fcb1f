import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unwrap } from "../lib/mlflow-read.ts";
import { AT, MINUTE_MS, trialOf } from "../lib/one-trial.ts";
import { type Lab, openLab } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

const rename = async (id: string, name: string) => {
  const answer = await lab.relay.fetch(`/api/experiments/${id}`, {
    method: "PATCH",
    body: JSON.stringify({ name }),
  });
  return { status: answer.status, body: await answer.json() };
};

describe("an experiment", () => {
  /** Announces a model run with one trial in an experiment; the answer is the experiment's id. */
  async function started(name: string): Promise<string> {
    const t = trialOf(name, "first");
    await lab.relay.send([t.announce(), t.start()]);
    await lab.relay.delivered(name);
    return lab.mlflow.experimentId(name);
  }

  /** A second trial of the model run, and another model run that asks for the experiment by the name it had. */
  async function goesOn(name: string): Promise<void> {
    const other = trialOf(`${name}, again`, "other");
    await lab.relay.send([
      trialOf(name, "second").start(),
      other.announce({ experiment_name: name }),
      other.start(),
    ]);
    await Promise.all([lab.relay.delivered(name), lab.relay.delivered(`${name}, again`)]);
    expect(unwrapKind(await lab.mlflow.client.getExperimentByName(name))).toBe("missing");
  }

  const unwrapKind = (result: { ok: true } | { ok: false; failure: { kind: string } }) =>
    result.ok ? "found" : result.failure.kind;

  test("renamed here is renamed in MLflow, and what asks for it by its old name follows", async () => {
    const id = await started("here");
    const renamed = await rename(id, "here, renamed");
    expect(renamed).toMatchObject({ status: 200, body: { mlflow_experiment_id: id, name: "here, renamed" } });
    expect(await lab.mlflow.experimentId("here, renamed")).toBe(id);
    await goesOn("here");
    expect([...(await lab.mlflow.trials("here, renamed")).keys()].sort()).toEqual([
      "first",
      "other",
      "second",
    ]);
    const modelRun = await lab.relay.get("/api/model-runs/here");
    const parent = (await lab.mlflow.trial("here, renamed", "second")).tags["mlflow.parentRunId"];
    expect(modelRun.body).toMatchObject({
      experiment_name: "here, renamed",
      mlflow_experiment_id: id,
      mlflow_run_id: parent,
    });
    const found = await lab.relay.get("/api/trials?experiment_name=here,%20renamed");
    expect(found.body.trials).toHaveLength(3);
    expect(lab.relay.store.conflicts("here")).toEqual([]);
  });

  test("renamed in MLflow keeps its trials together", async () => {
    const id = await started("there");
    unwrap(await lab.mlflow.client.updateExperiment({ experimentId: id, newName: "there, renamed" }));
    await goesOn("there");
    expect([...(await lab.mlflow.trials("there, renamed")).keys()].sort()).toEqual([
      "first",
      "other",
      "second",
    ]);
  });

  test("cannot have a name that is taken, nor be renamed once it is deleted", async () => {
    const id = await started("one");
    const other = unwrap(await lab.mlflow.client.createExperiment({ name: "two" }));
    expect(await rename(id, "two")).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('has the name "two"') },
    });
    const body = JSON.stringify({ experiment_id: other });
    const headers = { "content-type": "application/json" };
    await fetch(`${lab.trackingUri}/api/2.0/mlflow/experiments/delete`, { method: "POST", headers, body });
    expect(await rename(id, "two")).toMatchObject({ status: 409 });
    expect(await lab.mlflow.experimentId("one")).toBe(id);
  });
});

test("the parent run's name follows a later start of the model run, also when it has ended", async () => {
  const t = trialOf("named");
  await lab.relay.send([t.announce({ run_name: "draft" }), t.start(), t.complete()]);
  await lab.relay.delivered("named");
  const parent = (await lab.mlflow.trial("named", "t")).tags["mlflow.parentRunId"] ?? "";
  expect(await lab.mlflow.run(parent)).toMatchObject({ name: "draft", status: "RUNNING" });
  await lab.relay.send(t.announce({ run_name: "search", occurred_at: AT + MINUTE_MS }));
  await lab.relay.delivered("named");
  expect(await lab.mlflow.run(parent)).toMatchObject({ name: "search", startTime: AT });
  await lab.relay.send([t.stop(), t.announce({ run_name: "the one", occurred_at: AT + 2 * MINUTE_MS })]);
  await lab.relay.delivered("named");
  expect(await lab.mlflow.run(parent)).toMatchObject({ name: "the one", status: "FINISHED" });
});

test("a description and tags reach MLflow, and a further start edits them", async () => {
  const t = trialOf("described");
  const first = { description: "# First", tags: { team: "vision", seed: 7 } };
  await lab.relay.send([t.announce({ description: "All of it" }), t.start(first)]);
  await lab.relay.delivered("described");
  const run = await lab.mlflow.trial("described", "t");
  expect(run.tags).toMatchObject({ "mlflow.note.content": "# First", team: "vision", seed: "7" });
  const parent = await lab.mlflow.run(run.tags["mlflow.parentRunId"] ?? "");
  expect(parent.tags["mlflow.note.content"]).toBe("All of it");
  await lab.relay.send(
    t.start({ occurred_at: AT + 5 * MINUTE_MS, description: "", tags: { team: "audio" }, run_name: "best" }),
  );
  await lab.relay.send(t.complete({ tags: { done: true } }));
  await lab.relay.delivered("described");
  expect(await lab.mlflow.trial("described", "t")).toMatchObject({
    name: "best",
    status: "FINISHED",
    tags: { "mlflow.note.content": "", team: "audio", seed: "7", done: "true" },
  });
});

test("the parent run says how its trials fare, and a pass of the cron in which nothing changed says nothing", async () => {
  const [one, two] = [trialOf("counted", "one"), trialOf("counted", "two")];
  await lab.relay.send([one.announce(), one.start(), two.start(), two.cancel()]);
  await lab.relay.delivered("counted");
  const parent = (await lab.mlflow.trial("counted", "one")).tags["mlflow.parentRunId"] ?? "";
  const summary = async () => {
    await lab.relay.cron();
    await lab.relay.delivered("counted");
    const { tags } = await lab.mlflow.run(parent);
    return Object.fromEntries(
      Object.entries(tags)
        .filter(([key]) => key.startsWith("thunderline_trials_"))
        .map(([key, value]) => [key.replace("thunderline_trials_", ""), value]),
    );
  };
  const first = { total: "2", running: "1", succeeded: "0", failed: "0", skipped: "0", cancelled: "1" };
  expect(await summary()).toEqual(first);
  const before = lab.relay.store.kept().events;
  expect(await summary()).toEqual(first);
  expect(lab.relay.store.kept().events).toBe(before);
  await lab.relay.send(one.complete());
  await lab.relay.delivered("counted");
  expect(await summary()).toEqual({ ...first, running: "0", succeeded: "1" });
});
