import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { streamIdentity } from "../../src/domain/types.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { deleteDoubles } from "../../src/relay/follow/doubles.ts";
import { digest } from "../../src/relay/intake/identify.ts";
import { ingest } from "../../src/relay/intake/ingest.ts";
import { FakeMlflow } from "./fake-mlflow.ts";

/** Requests that something between sends to MLflow twice. */

let count = 0;

async function study(mlflow: FakeMlflow, trials: number) {
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0" });
  const ids: number[] = [];
  for (let n = 0; n < trials; n++) {
    const trialId = `doubled-${++count}`;
    const key = await digest(streamIdentity(null, trialId));
    const stream = { key, kind: "trial" as const, modelRunId: null, trialId, parentKey: null };
    const times = { occurredAt: Date.now(), acceptedAt: Date.now() };
    const facts = { announces: true, starts: true, tags: { k: "A" } } as const;
    const event = { stream, id: "e", type: "ml.trial.start" as const, hash: "e", correlationId: "e" };
    await ingest(deps, [{ ...event, ...times, facts, points: [] }]);
    const id = await env.DB.prepare("select id from streams where key = ?1").bind(key).first<number>("id");
    await drive(deps, id ?? 0);
    ids.push(id ?? 0);
  }
  mlflow.land(Number.POSITIVE_INFINITY);
  await env.DB.prepare("update streams set recheck_at = 1 where recheck_at is not null").run();
  return { deps, ids };
}

const active = (mlflow: FakeMlflow) => [...mlflow.runs.values()].filter((run) => run.lifecycle === "active");

test("of runs that were made twice the empty one is deleted, found by one search for all", async () => {
  const mlflow = new FakeMlflow();
  let creates = 0;
  mlflow.trouble = (endpoint) => (endpoint === "runs/create" && creates++ % 5 === 0 ? "twice" : null);
  const { deps } = await study(mlflow, 20);
  expect(active(mlflow)).toHaveLength(24);
  mlflow.calls.length = 0;
  await deleteDoubles(deps);
  expect(active(mlflow)).toHaveLength(20);
  expect(active(mlflow).every(({ tags }) => tags.get("k") === "A")).toBe(true);
  const searches = mlflow.calls.filter((call) => call === "runs/search");
  expect(searches.length).toBeLessThanOrEqual(1 + 4);
  await env.DB.prepare("update streams set recheck_at = 1 where recheck_at is not null").run();
  await deleteDoubles(deps);
  mlflow.calls.length = 0;
  expect(await deleteDoubles(deps)).toEqual({ checked: 0, deleted: 0 });
  expect(mlflow.calls).toEqual([]);
});

test("one that somebody has written to stays, as a recorded conflict", async () => {
  const mlflow = new FakeMlflow();
  mlflow.trouble = (endpoint) => (endpoint === "runs/create" ? "twice" : null);
  const { deps, ids } = await study(mlflow, 1);
  const [, double] = [...mlflow.runs.entries()];
  double?.[1].params.set("theirs", "1");
  await deleteDoubles(deps);
  expect(active(mlflow)).toHaveLength(2);
  const conflict = await env.DB.prepare("select kind, refused from conflicts where stream_id = ?1")
    .bind(ids[0])
    .first();
  expect(conflict).toEqual({ kind: "double_run", refused: double?.[0] });
});

test("a deletion that was swallowed on the way is seen not to be done, and done again", async () => {
  const mlflow = new FakeMlflow();
  mlflow.trouble = (endpoint) => (endpoint === "runs/create" ? "twice" : null);
  const { deps } = await study(mlflow, 1);
  let deletes = 0;
  mlflow.trouble = (endpoint) => (endpoint === "runs/delete" && deletes++ === 0 ? "swallowed" : null);
  for (let pass = 0; pass < 3; pass++) {
    await deleteDoubles(deps);
    await env.DB.prepare("update streams set recheck_at = 1 where recheck_at is not null").run();
  }
  expect(active(mlflow)).toHaveLength(1);
});
