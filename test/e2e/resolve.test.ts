import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { unwrap } from "../lib/mlflow-read.ts";
import { AT, MINUTE_MS, trialOf } from "../lib/one-trial.ts";
import { type Lab, openLab } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

const list = z.object({
  conflicts: z.array(
    z.looseObject({ id: z.int(), kind: z.string(), state: z.string(), decision: z.string() }),
  ),
});

async function conflictsOf(modelRunId: string) {
  const { body } = await lab.relay.get(`/api/ops/conflicts?model_run_id=${modelRunId}`);
  return list.parse(body).conflicts;
}

/** A trial whose name, description and a tag were changed on both sides, and whose policy took the relay's. */
async function disputed(modelRunId: string) {
  const t = trialOf(modelRunId);
  const said = (word: string) => ({ run_name: word, description: word, tags: { team: word } });
  await lab.relay.send([t.announce(), t.start(said("first"))]);
  await lab.relay.delivered(modelRunId);
  const { runId } = await lab.mlflow.trial(modelRunId, "t");
  const { client } = lab.mlflow;
  unwrap(await client.updateRun({ runId, runName: "theirs" }));
  unwrap(await client.setTag({ runId, key: "mlflow.note.content", value: "theirs" }));
  unwrap(await client.setTag({ runId, key: "team", value: "theirs" }));
  await lab.relay.send(t.start({ occurred_at: AT + 5 * MINUTE_MS, ...said("ours") }));
  await lab.relay.delivered(modelRunId);
  expect(await shown(runId)).toEqual(["ours", "ours", "ours"]);
  const conflicts = await conflictsOf(modelRunId);
  expect(conflicts.map(({ kind }) => kind).sort()).toEqual(["description", "name", "tag"]);
  return runId;
}

async function shown(runId: string) {
  const { name, tags } = await lab.mlflow.run(runId);
  return [name, tags["mlflow.note.content"], tags.team];
}

const resolve = (modelRunId: string, take: string) =>
  lab.relay.ask("/api/ops/conflicts/resolve", { take, filter: { model_run_id: modelRunId } });

/** Pulls and delivers once more: what was settled stays, and nobody disputes it. */
async function staysAs(modelRunId: string, runId: string, word: string): Promise<void> {
  await lab.relay.cron();
  await lab.relay.delivered(modelRunId);
  expect(await shown(runId)).toEqual([word, word, word]);
  const states = (await conflictsOf(modelRunId)).map(({ state }) => state);
  expect(states).toEqual(["resolved", "resolved", "resolved"]);
}

test("taking MLflow's side brings back what was overwritten there, and it stays", async () => {
  const runId = await disputed("theirs");
  expect((await resolve("theirs", "mlflow")).body).toMatchObject({ matching: 3, not_done: [], left: 0 });
  await lab.relay.delivered("theirs");
  await staysAs("theirs", runId, "theirs");
  const [trial] = z
    .object({ trials: z.array(z.looseObject({ id: z.string() })) })
    .parse((await lab.relay.get("/api/trials?model_run_id=theirs")).body).trials;
  expect((await lab.relay.get(`/api/trials/${trial?.id}`)).body).toMatchObject({
    run_name: "theirs",
    tags: { team: "theirs", "mlflow.note.content": "theirs" },
  });
});

test("taking the relay's side sends it again, also where MLflow was changed to something else since", async () => {
  const runId = await disputed("ours");
  unwrap(await lab.mlflow.client.setTag({ runId, key: "team", value: "theirs" }));
  expect((await resolve("ours", "relay")).body).toMatchObject({ matching: 3, not_done: [] });
  await lab.relay.delivered("ours");
  await staysAs("ours", runId, "ours");
});

test("a status that is taken from MLflow becomes the trial's, though its trainer said another", async () => {
  const t = trialOf("ended");
  await lab.relay.send([t.announce(), t.start({ run_name: "first" })]);
  await lab.relay.delivered("ended");
  const { runId } = await lab.mlflow.trial("ended", "t");
  unwrap(await lab.mlflow.client.updateRun({ runId, status: "FINISHED", endTime: AT + 30 * MINUTE_MS }));
  // The new name has delivery look at the run before it writes.
  await lab.relay.send([t.start({ occurred_at: AT + 5 * MINUTE_MS, run_name: "second" }), t.cancel()]);
  await lab.relay.delivered("ended");
  expect(await lab.mlflow.run(runId)).toMatchObject({
    status: "KILLED",
    tags: { thunderline_status: "cancelled" },
  });
  expect(await conflictsOf("ended")).toMatchObject([
    { kind: "status", base: "RUNNING", relay_value: "KILLED", mlflow_value: "FINISHED", decision: "relay" },
  ]);
  expect((await resolve("ended", "mlflow")).body).toMatchObject({ done: [{ kind: "status" }], not_done: [] });
  await lab.relay.delivered("ended");
  const run = await lab.mlflow.run(runId);
  expect(run).toMatchObject({ status: "FINISHED", endTime: AT + 80 * MINUTE_MS });
  expect(run.tags.thunderline_status).toBeUndefined();
  const { body } = await lab.relay.get("/api/trials?model_run_id=ended");
  expect(body).toMatchObject({ trials: [{ status: "succeeded" }] });
  expect(await conflictsOf("ended")).toMatchObject([{ state: "resolved", resolution: "mlflow" }]);
});
