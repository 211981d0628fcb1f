import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { FAULTS, FaultProxy } from "../lib/fault-proxy.ts";
import { MlflowReader, type Snapshot, unwrap } from "../lib/mlflow-read.ts";
import { type Lab, openLab } from "./lab.ts";

/** What MLflow's protocol leaves to the order and the number of writes: it has no ids for them. */

const AT = 1_700_000_000_000;

let lab: Lab;
/** Between client and relay. */
let door: FaultProxy;
let shown: MlflowReader;
beforeAll(async () => {
  lab = await openLab();
  door = await FaultProxy.start(lab.relay.url);
  shown = new MlflowReader(lab.relay.url, lab.relay.token);
});
afterAll(async () => {
  await door?.stop();
  await lab?.close();
});

type Answer = { status: number; body: Record<string, unknown> };

/** @param uri another door, and so another connection */
async function write(path: string, body: object, uri = door.uri): Promise<Answer> {
  const response = await fetch(`${uri}/api/2.0/mlflow/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${lab.relay.token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

/** Writes, loses the answer, and writes the same again, as the stock client does. */
async function writeAgain(path: string, body: object): Promise<Answer> {
  const lost = door.fail({ path, times: 1 }, FAULTS.cut);
  await expect(write(path, body)).rejects.toThrow("fetch failed");
  expect(lost.hits()).toBe(1);
  return write(path, body);
}

/** A run of this name, alone in an experiment of this name. */
async function newRun(name: string): Promise<string> {
  const experimentId = unwrap(await shown.client.createExperiment({ name }));
  return makeRun(experimentId, name);
}

async function makeRun(experimentId: string, runName: string): Promise<string> {
  const made = await shown.client.createRun({ experimentId, runName, startTime: AT, tags: [] });
  return unwrap(made).info.runId;
}

/** The only run of an experiment in MLflow, once everything is there, which the relay shows the same. */
async function delivered(experiment: string): Promise<Snapshot> {
  const [run, ...others] = await deliveredRuns(experiment);
  if (!run || others.length > 0) throw new Error(`MLflow has ${others.length + (run ? 1 : 0)} runs`);
  const tags = Object.entries(run.tags).filter(([key]) => !key.startsWith("relay."));
  const here = run.tags["relay.run_id"] ?? "";
  expect(await shown.run(here)).toEqual({ ...run, runId: here, tags: Object.fromEntries(tags) });
  return run;
}

async function deliveredRuns(experiment: string): Promise<Snapshot[]> {
  await lab.relay.cron();
  await lab.relay.until("everything is in MLflow", () => lab.relay.store.clientsBehind().length === 0);
  return lab.mlflow.runs(experiment);
}

test("sixteen callers with two values for one parameter: one value stands, and the others hear it", async () => {
  const run_id = await newRun("two values");
  const callers = Array.from({ length: 16 }, (_, i) => ({ run_id, key: "lr", value: i % 2 ? "0.1" : "0.2" }));
  const answers = await Promise.all(callers.map((body) => write("runs/log-parameter", body)));
  const taken = callers.filter((_, i) => answers[i]?.status === 200).map(({ value }) => value);
  const refused = callers.filter((_, i) => answers[i]?.status === 400).map(({ value }) => value);
  expect([new Set(taken).size, taken.length, refused.length]).toEqual([1, 8, 8]);
  expect(refused).not.toContain(taken[0]);
  for (const { status, body } of answers)
    if (status !== 200) expect(body.error_code).toBe("INVALID_PARAMETER_VALUE");
  expect((await delivered("two values")).params).toEqual({ lr: taken[0] });
});

test("a tag that is set to 1, 2 and 1 is 1", async () => {
  const run_id = await newRun("one two one");
  for (const value of ["1", "2", "1"])
    expect(await writeAgain("runs/set-tag", { run_id, key: "a", value })).toMatchObject({ status: 200 });
  expect((await delivered("one two one")).tags.a).toBe("1");
});

test("a tag that is set and deleted by turns, over two connections, is as the last of them left it", async () => {
  const run_id = await newRun("by turns");
  const set = (key: string, value: string, uri: string) => write("runs/set-tag", { run_id, key, value }, uri);
  const unset = (key: string, uri: string) => write("runs/delete-tag", { run_id, key }, uri);
  for (let i = 0; i < 50; i++) {
    const [one, other] = i % 2 ? [door.uri, lab.relay.url] : [lab.relay.url, door.uri];
    expect((await set("gone", String(i), one)).status).toBe(200);
    expect((await set("stays", String(i), one)).status).toBe(200);
    expect((await unset("stays", other)).status).toBe(200);
    expect((await unset("gone", other)).status).toBe(200);
    expect((await set("stays", `again ${i}`, one)).status).toBe(200);
  }
  const { tags } = await delivered("by turns");
  expect([tags.stays, tags.gone]).toEqual(["again 49", undefined]);
});

test("a status stands as it was said last; a run that goes on keeps its end", async () => {
  const run_id = await newRun("statuses");
  const says = (status: string, end_time?: number) => write("runs/update", { run_id, status, end_time });
  for (const status of ["FINISHED", "FAILED", "FINISHED", "FAILED"]) await says(status, AT + 5_000);
  const ended = await delivered("statuses");
  expect(ended).toMatchObject({ status: "FAILED", endTime: AT + 5_000 });
  await says("FINISHED", AT + 6_000);
  await says("RUNNING");
  expect(await delivered("statuses")).toMatchObject({ status: "RUNNING", endTime: AT + 6_000 });
});

const created = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });

test("two runs that were made by the same bytes and both used are two; one of which nobody heard is none", async () => {
  const parent = await newRun("parent of twins");
  const experiment_id = unwrap(await shown.client.createExperiment({ name: "twins" }));
  const tags = [{ key: "mlflow.parentRunId", value: parent }];
  const body = { experiment_id, run_name: "twin", start_time: AT, tags };
  const made = [await writeAgain("runs/create", body), await writeAgain("runs/create", body)];
  const ids = made.map((answer) => created.parse(answer.body).run.info.run_id);
  const log = (run_id: string, value: number) =>
    write("runs/log-metric", { run_id, key: "loss", value, timestamp: AT, step: 0 });
  for (const [i, id] of ids.entries()) expect((await log(id, i)).status).toBe(200);
  const runs = await deliveredRuns("twins");
  const found = runs.map((run): [unknown, string[]] => [run.tags["relay.run_id"], run.points]);
  expect(new Map(found)).toEqual(new Map(ids.map((id, i) => [id, [`loss #0 @${AT} = ${i}`]])));
  const parents = new Set(runs.map((run) => run.tags["mlflow.parentRunId"]));
  expect([...parents]).toEqual([(await delivered("parent of twins")).runId]);
});

test("what MLflow refuses to do twice was done once, though the answer was lost", async () => {
  const name = "done once";
  expect((await writeAgain("experiments/create", { name })).body.error_code).toBe("RESOURCE_ALREADY_EXISTS");
  const experiment_id = await shown.experimentId(name);
  const made = await shown.client.createRun({
    experimentId: experiment_id,
    runName: name,
    startTime: AT,
    tags: [],
  });
  const run_id = made.ok ? made.value.info.runId : "";
  await write("runs/set-tag", { run_id, key: "a", value: "1" });
  const again = await writeAgain("runs/delete-tag", { run_id, key: "a" });
  expect(again.body.error_code).toBe("RESOURCE_DOES_NOT_EXIST");
  expect((await delivered(name)).tags).not.toHaveProperty("a");
});
