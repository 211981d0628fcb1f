import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { verifyStream } from "../../src/relay/repair/verify.ts";
import { idOf, post } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";

const AT = Date.parse("2026-05-01T00:00:00Z");
const MINUTE_MS = 60_000;
let count = 0;
/** What these tests are not about: other runs of the trial, and its points. */
const nothingElse: Pick<Deps["mlflow"], "searchRuns" | "metricHistory"> = {
  searchRuns: async () => ({ ok: true, value: { items: [], nextPageToken: null } }),
  async *metricHistory() {},
};

/** A trial of its own, delivered. Times are in minutes after its start. */
async function world() {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  const ids = { model_run_id: "timed", trial_id: `timed-${++count}` };
  const say = (event: string, minutes: number, more: object = {}) =>
    post({ event, ...ids, spectral_norm: true, occurred_at: AT + minutes * MINUTE_MS, ...more });
  await say("ml.trial.start", 0);
  const id = await idOf(ids.trial_id);
  const streamId =
    (await env.DB.prepare("select id from streams where key = ?1").bind(id).first<number>("id")) ?? 0;
  const deliver = async () => {
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(streamId).run();
    await drive(deps, streamId);
  };
  await deliver();
  const [run] = mlflow.runs.values();
  if (!run) throw new Error("no run was made");
  return {
    run,
    say,
    deliver,
    differences: async () => {
      const verified = await verifyStream({ ...deps, mlflow: { ...deps.mlflow, ...nothingElse } }, streamId);
      if (verified.kind !== "checked") throw new Error(verified.kind);
      return verified.report.state;
    },
  };
}

test("a start or an end of another time in MLflow is told", async () => {
  const w = await world();
  await w.say("ml.trial.failed", 9, { error_message: "e" });
  await w.deliver();
  expect(await w.differences()).toEqual([]);
  w.run.startTime = AT - 1;
  w.run.endTime = AT + 1;
  expect(await w.differences()).toEqual([
    { field: "start_time", expected: AT, found: AT - 1 },
    { field: "end_time", expected: AT + 9 * MINUTE_MS, found: AT + 1 },
  ]);
});

test("what MLflow cannot hold is no difference: an earlier start that came later, an end that a resume took back", async () => {
  const w = await world();
  await w.say("ml.run.metric", -5, { step: 1, metrics: { loss: 1 } });
  await w.say("ml.trial.failed", 9, { error_message: "e" });
  await w.deliver();
  await w.say("ml.trial.start", 10, { resume: true });
  await w.deliver();
  expect(w.run.endTime).toBe(AT + 9 * MINUTE_MS);
  expect(await w.differences()).toEqual([]);
});
