import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { MERGE_POLICIES } from "../../src/domain/merge.ts";
import { type Facts, type Point, streamIdentity } from "../../src/domain/types.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { pullStream } from "../../src/relay/follow/pull.ts";
import { digest } from "../../src/relay/intake/identify.ts";
import { ingest } from "../../src/relay/intake/ingest.ts";
import { FakeMlflow } from "./fake-mlflow.ts";

/** Edits on both sides that meet calls which fail, go unanswered or are under way. */

let count = 0;
const TEN_MINUTES_MS = 600_000;
/** By this many statements at once the reading of both sides is known. */
const SIDES_STATEMENTS = 7;

/**
 * A trial by itself, the server it is delivered to, and the relay's hands on it.
 * @param adopted the status of the run that the trainer names, if it names one
 */
async function world(vars: Record<string, string> = {}, adopted: string | null = null) {
  const mlflow = new FakeMlflow();
  const fields = adopted === null ? {} : { mlflow_run_id: mlflow.add(adopted) };
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", ...vars });
  const trialId = `trial-${++count}`;
  const key = await digest(streamIdentity(null, trialId));
  /** @param behindMs how far the trainer's clock is behind */
  const say = async (
    facts: Facts | null,
    { behindMs = 0, points = [] as Point[], type = "ml.trial.start" } = {},
  ) => {
    // No two words at one moment: which of them is later is then by chance.
    await new Promise((done) => setTimeout(done, 2));
    const id = `e${++count}`;
    const kept = await ingest(deps, [
      {
        stream: { key, kind: "trial", modelRunId: null, trialId, parentKey: null },
        id,
        type: type === "relay.trial.quiet" ? "relay.trial.quiet" : "ml.trial.start",
        hash: id,
        occurredAt: Date.now() - behindMs,
        acceptedAt: Date.now(),
        correlationId: id,
        facts,
        points,
      },
    ]);
    expect(kept.kept).toBe("journal");
  };
  const streamId = async () =>
    (await env.DB.prepare("select id from streams where key = ?1").bind(key).first<number>("id")) ?? 0;
  const deliver = async (by: Deps = deps) => {
    const id = await streamId();
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(id).run();
    await drive(by, id);
  };
  await say({ announces: true, starts: true, tags: { k: "A" }, fields }, { behindMs: TEN_MINUTES_MS });
  await deliver();
  const [run] = mlflow.runs.values();
  if (!run) throw new Error("no run was made");
  return {
    mlflow,
    deps,
    run,
    say,
    deliver,
    pull: async (by: Deps = deps) => pullStream(by, await streamId(), null),
    /** The same after a search that has just shown the run. */
    pullSeen: async () => {
      const [runId = ""] = mlflow.runs.keys();
      const seen = await deps.mlflow.getRun(runId);
      if (!seen.ok) throw new Error(seen.failure.message);
      return pullStream(deps, await streamId(), seen.value);
    },
    tag: async () => {
      const row = await env.DB.prepare(
        "select value, removed_at from tags where stream_id = ?1 and key = 'k'",
      )
        .bind(await streamId())
        .first<{ value: string; removed_at: number | null }>();
      return row?.removed_at === null ? row.value : null;
    },
    status: async () =>
      env.DB.prepare("select status from trials where id = ?1")
        .bind(await streamId())
        .first<string>("status"),
    conflicts: async () => {
      const { results } = await env.DB.prepare("select kind from conflicts where stream_id = ?1")
        .bind(await streamId())
        .all();
      return results;
    },
    events: async () =>
      env.DB.prepare("select count(*) as n from events where stream_id = ?1")
        .bind(await streamId())
        .first("n"),
  };
}

describe("a tag that the trainer sets to and fro", () => {
  test.each(["runs/log-batch", "runs/update"])(
    "ends as last set, though %s failed between",
    async (failing) => {
      const w = await world();
      w.mlflow.trouble = (endpoint) => (endpoint === failing ? "refused" : null);
      await w.say({ tags: { k: "B" }, fields: { run_name: "second" } });
      await w.deliver();
      w.mlflow.trouble = () => null;
      await w.say({ tags: { k: "A" } });
      await w.deliver();
      await w.pull();
      await w.deliver();
      expect([w.run.tags.get("k"), await w.tag(), await w.conflicts()]).toEqual(["A", "A", []]);
    },
  );

  test.each(MERGE_POLICIES)(
    "is no conflict with the relay's own unanswered call, under %s",
    async (policy) => {
      const w = await world({ RELAY_MERGE_TAGS: policy });
      w.mlflow.trouble = (endpoint) => (endpoint === "runs/log-batch" ? "unanswered" : null);
      await w.say({ tags: { k: "B" } });
      await w.deliver();
      expect(w.run.tags.get("k")).toBe("B");
      w.mlflow.trouble = () => null;
      await w.say({ tags: { k: "C" } });
      await w.deliver();
      expect([w.run.tags.get("k"), await w.tag(), await w.conflicts()]).toEqual(["C", "C", []]);
    },
  );

  test("does not wipe out what MLflow's side won while the batch waited", async () => {
    const w = await world({ RELAY_MERGE_TAGS: "mlflow" });
    w.mlflow.trouble = (endpoint) => (endpoint === "runs/log-batch" ? "refused" : null);
    await w.say({ tags: { k: "B" } });
    await w.deliver();
    w.mlflow.trouble = () => null;
    w.run.tags.set("k", "X");
    await w.pull();
    await w.deliver();
    await w.pull();
    expect([w.run.tags.get("k"), await w.tag(), await w.conflicts()]).toEqual(["X", "X", [{ kind: "tag" }]]);
  });

  test("is the trainer's later word after an edit in MLflow, though its clock is behind", async () => {
    const w = await world();
    w.run.tags.set("k", "X");
    await w.pull();
    expect(await w.tag()).toBe("X");
    await w.say({ tags: { k: "C" } }, { behindMs: TEN_MINUTES_MS });
    await w.deliver();
    expect([w.run.tags.get("k"), await w.tag()]).toEqual(["C", "C"]);
  });
});

describe("a status", () => {
  test("that is accepted here while MLflow's is being merged is not undone", async () => {
    const w = await world();
    w.run.status = "FAILED";
    w.run.endTime = Date.now();
    let once = true;
    const slow: Deps = {
      ...w.deps,
      // The end comes when both sides have been read and before the merge is written down.
      db: new Proxy(env.DB, {
        get: (db, name) => {
          if (name !== "batch") return Reflect.get(db, name).bind(db);
          return async (statements: D1PreparedStatement[]) => {
            const results = await db.batch(statements);
            if (once && w.mlflow.calls.at(-1) === "runs/get" && statements.length === SIDES_STATEMENTS) {
              once = false;
              await w.say({ announces: true, ends: "succeeded" });
            }
            return results;
          };
        },
      }),
    };
    await w.pull(slow);
    await w.deliver();
    await w.pull();
    await w.deliver();
    expect(once).toBe(false);
    expect([w.run.status, await w.status()]).toEqual(["FINISHED", "succeeded"]);
  });

  test("set going again in MLflow can be ended by a trainer whose clock is behind", async () => {
    const w = await world();
    await w.say({ announces: true, ends: "failed" }, { behindMs: TEN_MINUTES_MS });
    await w.deliver();
    w.run.status = "RUNNING";
    await w.pull();
    expect(await w.status()).toBe("running");
    await w.say({ announces: true, ends: "succeeded" }, { behindMs: TEN_MINUTES_MS - 60_000 });
    await w.deliver();
    expect([w.run.status, await w.status()]).toEqual(["FINISHED", "succeeded"]);
  });

  test("of a trial closed as quiet can be set going again in MLflow, once", async () => {
    const w = await world();
    await w.say({ quiet: { heardAt: Date.now(), as: "cancelled" } }, { type: "relay.trial.quiet" });
    await w.deliver();
    expect(w.run.status).toBe("KILLED");
    w.run.status = "RUNNING";
    expect(await w.pull()).toMatchObject({ kind: "merged" });
    await w.deliver();
    expect([w.run.status, await w.status()]).toEqual(["RUNNING", "running"]);
    const events = await w.events();
    expect(await w.pull()).toEqual({ kind: "same" });
    expect(await w.events()).toBe(events);
  });

  test("that both sides came to by themselves is agreed on, also where a search showed it", async () => {
    const w = await world({ RELAY_MERGE_STATUS: "mlflow" }, "FINISHED");
    w.run.status = "RUNNING";
    await w.pullSeen();
    await w.say({ announces: true, ends: "failed" });
    await w.deliver();
    expect([w.run.status, await w.status(), await w.conflicts()]).toEqual(["FAILED", "failed", []]);
  });
});

test("metrics of an end take the highest step, also of what came while the run was looked at", async () => {
  const w = await world();
  await w.say(null, { points: [{ key: "loss", value: 1, step: 1, timestamp: 1 }] });
  await w.deliver();
  await w.say({ tags: { k: "B" } });
  const { searchRuns } = w.deps.mlflow;
  let once = true;
  const mlflow: Deps["mlflow"] = {
    ...w.deps.mlflow,
    searchRuns: async (search) => {
      if (once) {
        once = false;
        await w.say(null, { points: [{ key: "loss", value: 0.5, step: 9, timestamp: 2 }] });
        await w.say({ announces: true, ends: "succeeded", finals: { loss: 0.1 } });
      }
      return searchRuns(search);
    },
  };
  const meanwhile: Deps = { ...w.deps, mlflow };
  await w.deliver(meanwhile);
  await w.deliver();
  expect(w.run.metrics.map(({ step, value }) => [step, value])).toEqual([
    [1, 1],
    [9, 0.5],
    [9, 0.1],
  ]);
});

test("a run with more parameters than one row of the database holds is taken over whole", async () => {
  const w = await world();
  for (let n = 0; n < 400; n++) w.run.params.set(`p${n}`, "\u8a18".repeat(2_000));
  expect(await w.pull()).toMatchObject({ kind: "merged", accepted: 400 });
  const { n } = (await env.DB.prepare("select max(length(cast(facts as blob))) as n from events").first<{
    n: number;
  }>()) ?? { n: 0 };
  expect(n).toBeLessThan(2_000_000);
});
