import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import { post } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metered } from "./metered.ts";
import { mortal } from "./mortal.ts";
import { metric, start } from "./payloads.ts";

/**
 * A stream to which nothing came but points has its batch noted as it is claimed. Whatever became of it between being
 * read and being claimed, the turn does what it would have done had it read it later.
 */

const VARS = { RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" };
/** Of a turn's round trips: the first reads, the second claims. */
const CLAIM = 1;

/** A trial whose start is in MLflow, and a point that is not. */
async function behind(trial: string) {
  const mlflow = new FakeMlflow();
  await post(start(trial));
  const id = await env.DB.prepare("select id from streams where trial_id = ?1")
    .bind(trial)
    .first<number>("id");
  if (id === null) throw new Error(`no trial ${trial}`);
  const deps = mlflow.deps(VARS);
  await drive(deps, id);
  await post(metric(trial, { metrics: { loss: 1 }, step: 1 }));
  await drive(deps, id);
  await post(metric(trial, { metrics: { loss: 1 }, step: 2 }));
  const [run] = mlflow.runs.values();
  if (!run) throw new Error("no run was made");
  mlflow.calls.length = 0;
  return {
    mlflow,
    deps,
    id,
    run,
    steps: () => run.metrics.map(({ step }) => step).toSorted((a, b) => a - b),
  };
}

const rowOf = async (id: number) =>
  env.DB.prepare(
    "select lease_token, calling_until, doubt, sending_token, delivered_seq - last_seq as behind from streams where id = ?1",
  )
    .bind(id)
    .first();

const AT_REST = { lease_token: null, calling_until: null, doubt: null, sending_token: null, behind: 0 };

test("a point is read, claimed with its batch, sent and released: three round trips, and a row for each but the first", async () => {
  const { mlflow, id, steps } = await behind("plain");
  const { db, meter } = metered(env.DB);
  await drive(mlflow.deps({ ...VARS, DB: db }), id);
  expect(meter.roundTrips, meter.worst()).toBe(3);
  // The claim, the metric's summary, the release.
  expect(meter.rowsWritten, meter.worst()).toBe(3);
  expect(mlflow.calls).toEqual(["runs/log-batch"]);
  expect(steps()).toEqual([1, 2]);
  expect(await rowOf(id)).toEqual(AT_REST);
});

const DOUBT = JSON.stringify({ call: "runs/log-batch", token: "t", state: {} });
const ITEMS = JSON.stringify({
  metrics: [{ key: "loss", value: 1, timestamp: 1, step: 7 }],
  params: [],
  tags: [],
});

test.each([
  ["a write in doubt", `doubt = '${DOUBT}', fence_until = 0`, ["runs/get", "runs/log-batch"], [1, 2]],
  [
    "a batch that was just sent",
    `sending_token = 't', sending_items = '${ITEMS}'`,
    ["runs/log-batch", "runs/log-batch"],
    [1, 2, 7],
  ],
  // MLflow keeps a point that it has once.
  ["a delivery taken back", "planned_seq = 0, delivered_seq = 0", ["runs/log-batch"], [1, 1, 2]],
  ["a block that stays", "blocked_kind = 'forgotten', blocked_reason = 'given up'", [], [1]],
  ["a failure", "attempts = 1", ["experiments/search", "runs/log-batch"], [1, 2]],
])("%s that came before the claim is met as ever", async (what, set, calls, expected) => {
  const { mlflow, deps, id, steps } = await behind(what);
  const { db } = mortal(env.DB, { trip: CLAIM, moment: "before", sleeps: true }, async () => {
    await env.DB.prepare(`update streams set ${set} where id = ?1`).bind(id).run();
  });
  await drive({ ...deps, db }, id);
  expect(mlflow.calls).toEqual(calls);
  expect(steps()).toEqual(expected);
});

test("a batch that was planned and left before the claim goes first", async () => {
  const { mlflow, deps, id, steps } = await behind("planned");
  const { db } = mortal(env.DB, { trip: CLAIM, moment: "before", sleeps: true }, async () => {
    await env.DB.prepare(
      "insert into batches (stream_id, n, token, items, attempts) values (?1, 1, 't', ?2, 0)",
    )
      .bind(id, ITEMS)
      .run();
  });
  await drive({ ...deps, db }, id);
  expect(mlflow.calls).toEqual(["runs/log-batch", "runs/log-batch"]);
  expect(steps()).toEqual([1, 2, 7]);
  expect(await rowOf(id)).toEqual(AT_REST);
});

test.each([
  ["comes during the call has its own poke", "", null],
  [
    "was folded by another turn during the call is come back for",
    "folded_seq = last_seq",
    expect.any(Number),
  ],
])("what %s", async (what, set, poke) => {
  const { mlflow, deps, id } = await behind(what);
  const { db } = mortal(env.DB, { trip: CLAIM, moment: "after", sleeps: true }, async () => {
    await post(metric(what, { metrics: { loss: 1 }, step: 3 }));
    if (set) await env.DB.prepare(`update streams set ${set} where id = ?1`).bind(id).run();
  });
  expect(await drive({ ...deps, db }, id)).toEqual({ poke });
  expect(mlflow.calls).toEqual(["runs/log-batch"]);
});

test("what comes before the claim has a turn of its own after it", async () => {
  const { mlflow, deps, id, steps } = await behind("more");
  const { db } = mortal(env.DB, { trip: CLAIM, moment: "before", sleeps: true }, async () => {
    await post(metric("more", { metrics: { loss: 1 }, step: 3 }));
  });
  expect(await drive({ ...deps, db }, id)).toEqual({ poke: expect.any(Number) });
  expect(steps()).toEqual([1, 2]);
  await drive(deps, id);
  expect(mlflow.calls).toEqual(["runs/log-batch", "runs/log-batch"]);
  expect(steps()).toEqual([1, 2, 3]);
});

test("a call without an answer leaves its batch in doubt, and it is looked for before anything else is sent", async () => {
  const { mlflow, deps, id, steps } = await behind("unanswered");
  mlflow.trouble = (endpoint) => (endpoint === "runs/log-batch" ? "unanswered" : null);
  await drive(deps, id);
  expect(await rowOf(id)).toMatchObject({ lease_token: null, doubt: expect.any(String) });
  mlflow.trouble = () => null;
  await env.DB.prepare("update streams set next_attempt_at = 0, fence_until = 0 where id = ?1")
    .bind(id)
    .run();
  await drive(deps, id);
  expect(mlflow.calls.filter((call) => call === "runs/log-batch")).toHaveLength(1);
  expect(steps()).toEqual([1, 2]);
  expect(await rowOf(id)).toEqual(AT_REST);
});
