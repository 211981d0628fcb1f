import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { forgetOld, retire } from "../../src/relay/cron/retention.ts";
import { CRON_STEPS } from "../../src/relay/cron/steps.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { unblock } from "../../src/relay/repair/unblock.ts";
import { ENDING_STATEMENTS } from "../../src/store/database/budget.ts";
import { recordConflicts } from "../../src/store/mirror/conflicts.ts";
import { NOTHING_DONE } from "../../src/store/ops/passes.ts";
import { claim } from "../../src/store/stream/claims.ts";
import { release } from "../../src/store/stream/leases.ts";
import { idOf, post, request } from "./api.ts";
import { invocation } from "./endless.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metric, start } from "./payloads.ts";
import { POINTS } from "./stored-points.ts";

/** What the journal forgets, and what it knows of it all the same. */

const DAY_MS = 86_400_000;
const AT = 1_700_000_000_000;
/** Events that are there whole, points, and events of which only what tells a repeat is left. */
const KEPT = {
  events:
    "select count(*) from events e join streams s on s.id = e.stream_id where s.id = ?1 and e.seq > s.pruned_seq",
  metric_points: `select count(*) from ${POINTS} where stream_id = ?1`,
  identities:
    "select count(*) from events e join streams s on s.id = e.stream_id where s.id = ?1 and e.seq <= s.pruned_seq",
};

const mlflow = new FakeMlflow();
const depsOf = (vars: Record<string, string> = {}) =>
  mlflow.deps({
    RELAY_ANNOUNCE_GRACE_SECONDS: "0",
    RELAY_RETENTION_DAYS: "0",
    RELAY_PARENT_RUNS: "false",
    ...vars,
  });

afterEach(() => {
  mlflow.trouble = () => null;
});

const event = (trial: string, type: string, more: object = {}) => ({
  ...start(trial, more),
  event: `ml.trial.${type}`,
});
const points = (trial: string, count: number) =>
  Array.from({ length: count }, (_, step) =>
    metric(trial, { event_id: `p${step}`, metrics: { loss: step }, step }),
  );

/** A trial that is over, and that MLflow has all of. */
async function delivered(trial: string, events: unknown[], deps: Deps): Promise<number> {
  await post(events);
  const id = await streamOf(trial);
  await drive(deps, id);
  expect(
    await env.DB.prepare("select delivered_seq = last_seq as done from streams where id = ?1")
      .bind(id)
      .first("done"),
  ).toBe(1);
  return id;
}

const streamOf = async (trial: string) =>
  (await env.DB.prepare("select id from streams where trial_id = ?1").bind(trial).first<number>("id")) ?? -1;

async function kept(streamId: number) {
  const counts = Object.entries(KEPT).map(([name, query]) => `(${query}) as ${name}`);
  const row = await env.DB.prepare(`select ${counts.join(", ")}`)
    .bind(streamId)
    .first();
  return z.object({ events: z.number(), metric_points: z.number(), identities: z.number() }).parse(row);
}

/** A later pass, when the last deliveries are in the past. */
async function pass(deps: Deps, days = 0) {
  await scheduler.wait(3);
  return retire({ ...deps, now: () => Date.now() + days * DAY_MS });
}

async function read(trial: string) {
  const answer = await request(`/api/trials/${await idOf(trial)}`);
  return z
    .looseObject({ status: z.string(), metrics: z.unknown(), ended_at: z.unknown(), counts: z.unknown() })
    .parse(answer.body);
}

describe("a repeat of what was pruned", () => {
  it("is a repeat still: no event, no point and no count more, and another body under the same id is a conflict", async () => {
    const deps = depsOf();
    const step = { step: 3, metrics: { loss: 3 } };
    const events = [
      start("pruned", { event_id: "start" }),
      ...points("pruned", 3),
      metric("pruned", { metrics: { acc: 1 }, occurred_at: AT }),
      metric("pruned", { metrics: { acc: 2 }, step: 1 }),
      event("pruned", "complete", { metrics: { final: 1 }, event_id: "x".repeat(255) }),
      event("pruned", "complete", step),
    ];
    const id = await delivered("pruned", events, deps);
    const before = await read("pruned");
    expect((await pass(deps)).trials).toBe(1);
    expect(await kept(id)).toMatchObject({ events: 0, metric_points: 0 });
    const called = mlflow.calls.length;

    const again = await post(events);
    expect(again.body).toMatchObject({ accepted: 0, duplicates: events.length });
    for (const one of events) expect((await post(one)).body).toMatchObject({ duplicate: true });
    expect(await post(metric("pruned", { event_id: "p1", metrics: { loss: 9 }, step: 1 }))).toMatchObject({
      status: 409,
      body: { error: "event_id_conflict" },
    });
    await drive(deps, id);
    expect(await kept(id)).toMatchObject({ events: 0, metric_points: 0 });
    const after = await read("pruned");
    expect([after.status, after.ended_at, after.metrics]).toEqual([
      before.status,
      before.ended_at,
      before.metrics,
    ]);
    expect(mlflow.calls.length).toBe(called);
  });

  it("leaves the end where it was, where a start without an id comes again with it", async () => {
    const deps = depsOf();
    const whole = [start("whole"), event("whole", "complete", { step: 1, metrics: { loss: 1 } })];
    await delivered("whole", whole, deps);
    const { ended_at } = await read("whole");
    await pass(deps);
    await post(whole);
    expect(await read("whole")).toMatchObject({ status: "succeeded", ended_at });
  });

  it("is known for as many days as are set, and then forgotten", async () => {
    const deps = depsOf({ RELAY_REPEATS_KNOWN_DAYS: "2" });
    const events = [
      ...points("forgotten", 3),
      event("forgotten", "complete", { metrics: {}, event_id: "end" }),
    ];
    const id = await delivered("forgotten", events, deps);
    await pass(deps);
    const forgetAfter = (days: number) => forgetOld({ ...deps, now: () => Date.now() + days * DAY_MS });
    await forgetAfter(1);
    expect(await kept(id)).toMatchObject({ identities: 4 });
    expect(await forgetAfter(3)).toBeGreaterThanOrEqual(4);
    expect(await kept(id)).toMatchObject({ identities: 0 });
  });

  it("does not come in the way of what is new: a resume, and the same end after it", async () => {
    const deps = depsOf();
    const failed = event("resumed later", "failed", { error_message: "no", step: 2, metrics: { loss: 1 } });
    const id = await delivered("resumed later", [start("resumed later"), failed], deps);
    await pass(deps);
    await post(start("resumed later", { resume: true }));
    expect(await read("resumed later")).toMatchObject({ status: "running" });
    expect((await post(failed)).body).not.toHaveProperty("duplicate");
    await drive(deps, id);
    expect(await read("resumed later")).toMatchObject({ status: "failed", metrics: { loss: { count: 1 } } });
    expect([...mlflow.runs.values()].at(-1)?.metrics).toHaveLength(1);
    await pass(deps);
    expect(await kept(id)).toMatchObject({ events: 0, metric_points: 0 });
  });
});

/** The database, but that it dies at the n-th statement from now. */
function dyingAt(n: number): D1Database {
  let left = n;
  const dies = () => {
    if (left-- <= 0) throw new Error("D1_ERROR: Network connection lost.");
  };
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => wrap(target.bind(...values));
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        if (["run", "all", "first", "raw"].includes(String(name))) dies();
        return method.bind(target);
      },
    });
  const originals = new Map<D1PreparedStatement, D1PreparedStatement>();
  return new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare") return (query: string) => wrap(target.prepare(query));
      if (name === "batch")
        return (statements: D1PreparedStatement[]) => {
          dies();
          return target.batch(statements.map((statement) => originals.get(statement) ?? statement));
        };
      const method: unknown = Reflect.get(target, name);
      return typeof method === "function" ? method.bind(target) : method;
    },
  });
}

describe("pruning", () => {
  it("goes on where it was cut off, wherever that was", async () => {
    const deps = depsOf();
    for (let cut = 0; cut < 12; cut++) {
      const trial = `cut ${cut}`;
      const id = await delivered(
        trial,
        [...points(trial, 4), event(trial, "complete", { metrics: { final: 1 } })],
        deps,
      );
      await scheduler.wait(3);
      await retire({ ...deps, db: dyingAt(cut) }).catch(() => {});
      // Whatever was left half-way is done by the next pass, though MLflow is away, or else by one when it is back.
      mlflow.trouble = (endpoint) => (endpoint === "runs/get" ? "refused" : null);
      await pass(deps);
      mlflow.trouble = () => null;
      await pass(deps, 2);
      expect(await kept(id), `cut at ${cut}`).toEqual({ events: 0, metric_points: 0, identities: 5 });
    }
  });

  it("leaves a journal whole that was to be sent to another run while MLflow was read back", async () => {
    const deps = depsOf();
    const id = await delivered(
      "made anew",
      [start("made anew"), ...points("made anew", 4), event("made anew", "complete", { metrics: {} })],
      deps,
    );
    const known = new Set(mlflow.runs.keys());
    async function* metricHistory(...asked: Parameters<Deps["mlflow"]["metricHistory"]>) {
      const [runId] = asked;
      const run = mlflow.runs.get(runId);
      // Somebody deletes the run, and an operator has another made.
      if (run && run.lifecycle === "active") {
        run.lifecycle = "deleted";
        await env.DB.prepare("update streams set blocked_kind = 'gone_run', blocked_on = ?2 where id = ?1")
          .bind(id, runId)
          .run();
        expect(await unblock(deps, id, "recreate", false)).toMatchObject({ kind: "done" });
      }
      yield* deps.mlflow.metricHistory(...asked);
    }
    await pass({ ...deps, mlflow: { ...deps.mlflow, metricHistory } });
    expect(await kept(id)).toMatchObject({ events: 6, metric_points: 4 });
    await drive(deps, id);
    const made = [...mlflow.runs].filter(([runId]) => !known.has(runId));
    expect(made.map(([, { metrics }]) => metrics.length)).toEqual([4]);
    await pass(deps);
    expect(await kept(id)).toMatchObject({ events: 0, metric_points: 0 });
  });

  it("leaves a journal for the next pass that somebody has in hand", async () => {
    const deps = depsOf();
    const ended = [...points("in hand", 2), event("in hand", "complete", { metrics: {} })];
    const id = await delivered("in hand", ended, deps);
    const lease = await claim(env.DB, id, 60_000);
    if (lease.kind !== "claimed") throw new Error(lease.kind);
    await pass(deps);
    expect(await kept(id)).toMatchObject({ metric_points: 2 });
    await release(env.DB, lease.lease, {}, Date.now());
    await pass(deps);
    expect(await kept(id)).toMatchObject({ metric_points: 0 });
  });

  it("is held up by nobody who cannot be read back, neither in MLflow nor here", async () => {
    const deps = depsOf();
    const ended = (trial: string) => [...points(trial, 2), event(trial, "complete", { metrics: {} })];
    const refused = await delivered("refused", ended("refused"), deps);
    const broken = await delivered("broken", ended("broken"), deps);
    const fine = await delivered("fine", ended("fine"), deps);
    await env.DB.prepare("update trials set core = '{' where id = ?1").bind(broken).run();
    const runOf = await env.DB.prepare("select mlflow_run_id as run from streams where id = ?1")
      .bind(refused)
      .first<string>("run");
    const getRun: Deps["mlflow"]["getRun"] = async (run) =>
      run === runOf
        ? {
            ok: false,
            failure: { kind: "transient", message: "500", retryAfterMs: null, status: 500, code: null },
          }
        : deps.mlflow.getRun(run);
    await pass({ ...deps, mlflow: { ...deps.mlflow, getRun } });
    expect([await kept(refused), await kept(broken), await kept(fine)]).toMatchObject([
      { metric_points: 2 },
      { metric_points: 2 },
      { metric_points: 0 },
    ]);
    // Neither is asked for again by the very next pass.
    const called = mlflow.calls.length;
    await pass(deps);
    expect(mlflow.calls.length).toBe(called);
    await pass(deps, 2);
    expect(await kept(refused)).toMatchObject({ metric_points: 0 });
  });

  it("takes what was deleted in MLflow: at once where it can be restored, and where it is gone for good after a month more", async () => {
    const deps = depsOf();
    const ended = (trial: string) => [...points(trial, 2), event(trial, "complete", { metrics: {} })];
    const binned = await delivered("binned", ended("binned"), deps);
    const gone = await delivered("gone", ended("gone"), deps);
    const runOf = (id: number) =>
      env.DB.prepare("select mlflow_run_id as run from streams where id = ?1").bind(id).first<string>("run");
    const run = mlflow.runs.get((await runOf(binned)) ?? "");
    if (run) run.lifecycle = "deleted";
    mlflow.runs.delete((await runOf(gone)) ?? "");
    await pass(deps);
    expect(await kept(binned)).toMatchObject({ events: 0, metric_points: 0 });
    expect(await kept(gone)).toMatchObject({ events: 3, metric_points: 2 });
    await pass(deps, 29);
    expect(await kept(gone)).toMatchObject({ metric_points: 2 });
    await pass(deps, 31);
    expect(await kept(gone)).toMatchObject({ events: 0, metric_points: 0 });
    expect(await read("gone")).toMatchObject({ status: "succeeded", metrics: { loss: { count: 2 } } });
  });

  it("takes conflicts too that were resolved long ago, and none that would be found again", async () => {
    const deps = depsOf();
    const id = await delivered(
      "disputed",
      [
        start("disputed", { parameters: { lr: 1 } }),
        event("disputed", "complete", { metrics: {}, parameters: { lr: 2 } }),
      ],
      deps,
    );
    const row = { streamId: id, kept: "a", refused: "b", source: "mlflow" as const, createdAt: 1 };
    await recordConflicts(env.DB, [
      { ...row, kind: "tag", field: "team" },
      { ...row, kind: "run_id", field: "mlflow_run_id" },
      { ...row, kind: "param", field: "seed" },
      { ...row, kind: "tag", field: "open" },
    ]);
    await env.DB.prepare(
      "update conflicts set state = 'resolved', resolved_at = ?2 where stream_id = ?1 and field <> 'open'",
    )
      .bind(id, Date.now())
      .run();
    const fields = async () => {
      const { results } = await env.DB.prepare(
        "select field, source from conflicts where stream_id = ?1 order by field",
      )
        .bind(id)
        .all<{ field: string; source: string }>();
      return results.map(({ field, source }) => `${field} (${source})`);
    };
    const forget = (days: number) => forgetOld({ ...deps, now: () => Date.now() + days * DAY_MS });
    await forget(29);
    expect(await fields()).toHaveLength(5);
    await forget(31);
    const found = ["mlflow_run_id (mlflow)", "open (mlflow)", "seed (mlflow)"];
    expect(await fields()).toEqual(["lr (journal)", ...found]);
    await pass(deps, 1);
    await forget(31);
    expect(await fields()).toEqual(found);
  });

  it("forgets settled letters and refusals too while identities of more trials are due than a pass has statements for", async () => {
    const deps = depsOf();
    await env.DB.batch([
      env.DB.prepare(
        `insert into streams (key, kind, trial_id, created_at, updated_at, pruned_at, pruned_seq, forget_at)
         with recursive n (n) as (select 1 union all select n + 1 from n where n < 60)
         select 'due-' || n, 'trial', 'due-' || n, 1, 1, 1, 1, 1 from n`,
      ),
      env.DB.prepare(
        `insert into dead_letters (kind, item, reason, state, created_at, settled_at)
         values ('message', 'long settled', 'no', 'dropped', 1, 1)`,
      ),
      env.DB.prepare(
        `insert into refusals (token_id, model_run_id, trial_id, error, field, rule, value, request_id, count, first_at, last_at)
         values ('long ago', '', '', 'e', '', '', '', 'r', 1, 1, 1)`,
      ),
    ]);
    const left = (query: string) => env.DB.prepare(query).first("n");
    const due = () => left("select count(*) as n from streams where forget_at = 1");
    const step = CRON_STEPS.find(({ name }) => name === "forget");
    const share = ENDING_STATEMENTS + (step?.statements ?? 0);
    const told = await step?.run(invocation(deps, share), NOTHING_DONE, Date.now());
    expect(told?.forgotten_rows).toBeGreaterThanOrEqual(2);
    expect(await due()).toBeGreaterThan(0);
    expect(await left("select count(*) as n from dead_letters where item = 'long settled'")).toBe(0);
    expect(await left("select count(*) as n from refusals where token_id = 'long ago'")).toBe(0);
    await env.DB.prepare("delete from streams where key like 'due-%'").run();
  });

  it("leaves of an event's facts no more than the next word of its trial is judged by", async () => {
    const deps = depsOf();
    const more = { parameters: { lr: 0.1 }, metadata: { host: "n1", note: "x".repeat(2_000) } };
    const id = await delivered(
      "stripped",
      [
        start("stripped", more),
        ...points("stripped", 2),
        event("stripped", "failed", { ...more, error_message: "no" }),
      ],
      deps,
    );
    await pass(deps);
    const { results } = await env.DB.prepare(
      "select facts, warnings from events where stream_id = ?1 order by seq",
    )
      .bind(id)
      .all<{ facts: string | null; warnings: string | null }>();
    expect(results.map(({ facts }) => facts)).toEqual([null, null, null, '{"ends":"failed"}']);
    expect(results.every(({ warnings }) => warnings === null)).toBe(true);
    expect(await read("stripped")).toMatchObject({ status: "failed", metrics: { loss: { count: 2 } } });
  });

  it("takes model runs too where they are no runs in MLflow", async () => {
    const deps = depsOf();
    await post([
      { event: "ml.run.start", model_run_id: "runless", requested_trials: 1, search_space_version: 1 },
      {
        event: "ml.run.stop",
        model_run_id: "runless",
        state: "completed",
        completed_trials: 1,
        best_metric: 0.5,
      },
    ]);
    const id = await env.DB.prepare("select id from streams where model_run_id = 'runless'").first<number>(
      "id",
    );
    await drive(deps, id ?? -1);
    await pass(deps);
    expect(await kept(id ?? -1)).toMatchObject({ events: 0, identities: 2 });
    expect((await request("/api/model-runs/runless")).body).toMatchObject({ state: "succeeded" });
  });

  it("takes what never ended, once its trainer was silent for a fortnight", async () => {
    const deps = depsOf();
    const id = await delivered("abandoned", [start("abandoned"), ...points("abandoned", 2)], deps);
    await pass(deps, 13);
    expect(await kept(id)).toMatchObject({ metric_points: 2 });
    await pass(deps, 15);
    expect(await kept(id)).toMatchObject({ metric_points: 0 });
    await post(metric("abandoned", { event_id: "late", metrics: { loss: 7 }, step: 7 }));
    await drive(deps, id);
    expect(await read("abandoned")).toMatchObject({
      status: "running",
      metrics: { loss: { count: 3, last: 7 } },
    });
  });

  it("and what else grows old is forgotten even when another part of the pass fails", async () => {
    const deps = depsOf();
    await env.DB.prepare(
      `insert into dead_letters (stream_id, kind, item, reason, state, created_at, settled_at)
       values (null, 'message', '{}', 'old', 'dropped', 1, 1), (null, 'message', '{}', 'open', 'open', 1, null)`,
    ).run();
    await env.DB.prepare(
      "insert into cron_passes (started_at, finished_at, report) values (1, 1, '{')",
    ).run();
    expect(await reconcile(deps)).toMatchObject({ error: expect.stringContaining("JSON") });
    const { results } = await env.DB.prepare("select reason from dead_letters where kind = 'message'").all();
    expect(results).toEqual([{ reason: "open" }]);
  });
});
