import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { lossAt, trialOf } from "../lib/one-trial.ts";
import { type Lab, openLab, SHORT_LEASES } from "./lab.ts";

/** What docs/operators.md says of going back to an earlier database, step by step. */

let lab: Lab;
let kept: string;
beforeAll(async () => {
  [lab, kept] = await Promise.all([openLab(SHORT_LEASES), mkdtemp(join(tmpdir(), "trial-relay-set-back-"))]);
});
afterAll(async () => {
  await lab?.close();
  await rm(kept, { recursive: true, force: true });
});

const synced = async (trials: number) => {
  const { body } = await lab.relay.get("/api/trials?model_run_id=study&sync_state=synced");
  return z.object({ trials: z.array(z.unknown()) }).parse(body).trials.length === trials;
};

test("a database that was set back finds the runs made since, and what is sent again is not there twice", async () => {
  const { relay, mlflow } = lab;
  const database = join(relay.stateDir, "v3");
  const old = trialOf("study", "old");
  await relay.send([old.announce(), old.start(), old.metric(0, 9), old.metric(1, 8)]);
  await relay.delivered("study");
  await relay.stop();
  await cp(database, kept, { recursive: true });

  await relay.restart();
  const young = trialOf("study", "young");
  const since = [
    old.metric(2, 7),
    old.complete(),
    young.start({ parameters: { lr: 0.1 } }),
    young.metric(0, 5),
    young.complete(),
  ];
  await relay.send(since);
  await relay.until("all of it is in MLflow", () => synced(2));
  await relay.stop();
  const runIds = (await mlflow.runs("study")).map(({ runId }) => runId).toSorted();

  await rm(database, { recursive: true });
  await cp(kept, database, { recursive: true });
  await relay.restart({ MLFLOW_AUTO_SYNC: "false" });
  await relay.send(since);
  const asked = await relay.ask("/api/sync/experiments", { experiment_name: "study" });
  expect(asked.status).toBe(202);
  await relay.until("the experiment is read", async () => {
    const job = await relay.get(z.string().parse(asked.headers.get("location")));
    return job.body.state === "succeeded";
  });
  await relay.stop();
  await relay.restart();
  await relay.cron();
  await relay.until("all of it is in MLflow again", () => synced(2));

  expect((await mlflow.runs("study")).map(({ runId }) => runId).toSorted()).toEqual(runIds);
  expect(await mlflow.trial("study", "old")).toMatchObject({
    status: "FINISHED",
    points: [lossAt(0, 9), lossAt(1, 8), lossAt(2, 7)],
  });
  expect(await mlflow.trial("study", "young")).toMatchObject({
    status: "FINISHED",
    params: { lr: "0.1" },
    points: [lossAt(0, 5)],
  });
  expect((await relay.get("/api/ops/conflicts?state=open")).body).toMatchObject({ conflicts: [] });
  const { body } = await relay.ask("/api/ops/model-runs/study/verify");
  expect(body).toMatchObject({ confirmed: 3, differing: 0 });
});
