import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { foldAll, post, request } from "./api.ts";

const listed = z.object({
  trials: z.array(z.looseObject({ trial_id: z.string(), metrics: z.record(z.string(), z.unknown()) })),
  next_cursor: z.string().nullable(),
});

async function list(query: string) {
  const { status, body } = await request(`/api/trials${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return listed.parse(body);
}

/** All pages of a list, by trainer's trial id. */
async function walk(query: string, limit: number): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await list(`?${query}&limit=${limit}${cursor === null ? "" : `&cursor=${cursor}`}`);
    expect(page.trials.length).toBeLessThanOrEqual(limit);
    seen.push(...page.trials.map((trial) => trial.trial_id));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return seen;
}

const trial = (trial_id: string, more: object = {}) => ({
  event: "ml.trial.start",
  model_run_id: "study",
  trial_id,
  spectral_norm: true,
  occurred_at: "2026-01-01T00:00:00Z",
  ...more,
});
const end = (trial_id: string, more: object = {}) => ({
  ...trial(trial_id),
  event: "ml.trial.complete",
  occurred_at: "2026-01-01T01:00:00Z",
  metrics: {},
  ...more,
});

const EVENTS = [
  trial("a"),
  end("a", { metrics: { "val/loss": 0.5, acc: 0.9 }, rank: 2, duration_ms: 100 }),
  trial("b", { occurred_at: "2026-01-01T00:00:05Z", run_name: "second" }),
  end("b", { metrics: { "val/loss": 0.5 }, rank: 1, duration_ms: 100, occurred_at: "2026-01-01T00:30:00Z" }),
  trial("c", { spectral_norm: false, experiment_name: "ablation" }),
  {
    ...end("c"),
    event: "ml.trial.failed",
    spectral_norm: false,
    error_message: "out of memory",
    metrics: { "val/loss": "NaN" },
  },
  trial("d", { occurred_at: "2026-01-01T00:00:09Z" }),
  { ...end("d", { metrics: { "val/loss": "Infinity" } }), event: "ml.trial.skipped" },
  trial("e"),
  end("e", { metrics: { "val/loss": "-Infinity" }, duration_ms: 7, rank: 2 }),
  trial("f", { model_run_id: "other" }),
  {
    event: "ml.run.metric",
    model_run_id: "other",
    trial_id: "g",
    metric_name: "acc",
    metric_value: 1,
    step: 3,
  },
  trial("h", { model_run_id: "other" }),
  { ...end("h", { model_run_id: "other", spectral_norm: false }), event: "ml.trial.cancelled" },
];
const ALL = ["a", "b", "c", "d", "e", "f", "g", "h"];

beforeAll(async () => {
  expect((await post(EVENTS)).body).toMatchObject({ accepted: EVENTS.length });
  await foldAll();
  // Every trial was accepted and folded at nearly the same time; a tie and a difference are wanted.
  await env.DB.batch([
    env.DB.prepare("update streams set updated_at = 0"),
    env.DB.prepare("update trials set updated_at = 1000 where trial_id in ('b', 'f', 'g')"),
    env.DB.prepare("update trials set updated_at = 2000 where trial_id not in ('b', 'f', 'g')"),
  ]);
});

describe("the list of trials", () => {
  it("shows the newest first, with the last value of every metric", async () => {
    const { trials, next_cursor } = await list("");
    expect(trials.map((row) => row.trial_id)).toEqual(ALL.toReversed());
    expect(next_cursor).toBeNull();
    expect(trials.at(-1)).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      model_run_id: "study",
      trial_id: "a",
      run_name: null,
      status: "succeeded",
      spectral_norm: true,
      sync_state: "pending",
      waiting_for: null,
      blocked_reason: null,
      last_error: null,
      mlflow_run_id: null,
      mlflow_experiment_id: null,
      delivered_at: null,
      experiment_name: null,
      started_at: "2026-01-01T00:00:00.000Z",
      ended_at: "2026-01-01T01:00:00.000Z",
      lost_contact_at: null,
      duration_ms: 100,
      rank: 2,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      updated_at: "1970-01-01T00:00:02.000Z",
      metrics: { "val/loss": 0.5, acc: 0.9 },
    });
    const byId = new Map(trials.map((row) => [row.trial_id, row.metrics["val/loss"]]));
    expect([byId.get("c"), byId.get("d"), byId.get("e")]).toEqual(["NaN", "Infinity", "-Infinity"]);
  });

  // Ascending; the same backwards is descending, but what has no value stays last.
  it.each([
    ["created_at", ALL, []],
    ["updated_at", ["b", "f", "g", "a", "c", "d", "e", "h"], []],
    ["started_at", ["a", "c", "e", "f", "h", "b", "d", "g"], []],
    ["ended_at", ["b", "a", "c", "d", "e", "h"], ["f", "g"]],
    ["duration_ms", ["e", "a", "b"], ["c", "d", "f", "g", "h"]],
    ["rank", ["b", "a", "e"], ["c", "d", "f", "g", "h"]],
    ["trial_id", ALL, []],
    ["status", ["h", "c", "f", "g", "d", "a", "b", "e"], []],
    ["metrics.val/loss", ["e", "a", "b", "d"], ["c", "f", "g", "h"]],
    ["metrics.acc", ["a", "g"], ["b", "c", "d", "e", "f", "h"]],
    ["metrics.nowhere", [], ALL],
  ])("sorts by %s both ways, over pages of every size", async (sort, withValue, without) => {
    for (const limit of [1, 2, 3, 50]) {
      expect(await walk(`sort=${sort}`, limit)).toEqual([...withValue, ...without]);
      expect(await walk(`sort=-${sort}`, limit)).toEqual([
        ...withValue.toReversed(),
        ...without.toReversed(),
      ]);
    }
  });

  it.each([
    ["model_run_id=other", ["f", "g", "h"]],
    ["trial_id=c", ["c"]],
    ["trial_id=c&model_run_id=other", []],
    ["status=succeeded", ["a", "b", "e"]],
    ["status=failed", ["c"]],
    ["status=skipped", ["d"]],
    ["status=cancelled", ["h"]],
    ["status=running", ["f", "g"]],
    ["spectral_norm=false", ["c", "h"]],
    ["spectral_norm=true", ["a", "b", "d", "e", "f"]],
    ["experiment_name=ablation", ["c"]],
    ["status=succeeded&spectral_norm=false", []],
  ])("filters by %s", async (filter, expected) => {
    expect(await walk(`${filter}&sort=created_at`, 2)).toEqual(expected);
  });

  it("filters by the state of delivery", async () => {
    const set = (trialId: string, sql: string) =>
      env.DB.prepare(`update streams set ${sql} where trial_id = ?1`).bind(trialId);
    await env.DB.batch([
      set("a", "delivered_seq = last_seq, delivered_at = 5000, mlflow_run_id = 'run-a'"),
      set("b", "waiting_for = 'retry', last_error = 'transient: 503'"),
      set("c", "blocked_kind = 'gone_run', waiting_for = 'retry'"),
      set("d", "blocked_kind = 'gone_run', delivered_seq = last_seq"),
    ]);
    expect(await walk("sync_state=synced", 2)).toEqual(["a"]);
    expect(await walk("sync_state=waiting", 2)).toEqual(["b"]);
    expect(await walk("sync_state=blocked&sort=created_at", 1)).toEqual(["c", "d"]);
    expect(await walk("sync_state=pending&sort=created_at", 2)).toEqual(["e", "f", "g", "h"]);
    const [synced] = (await list("?sync_state=synced")).trials;
    expect(synced).toMatchObject({ mlflow_run_id: "run-a", delivered_at: "1970-01-01T00:00:05.000Z" });
    const [waiting] = (await list("?sync_state=waiting")).trials;
    expect(waiting).toMatchObject({ waiting_for: "retry", last_error: "transient: 503" });
  });

  it("finds the trials of an experiment that only their model run names", async () => {
    await post({
      event: "ml.run.start",
      model_run_id: "other",
      requested_trials: 3,
      search_space_version: 1,
      experiment_name: "sweep",
    });
    await foldAll();
    expect(await walk("experiment_name=sweep&sort=created_at", 2)).toEqual(["f", "g", "h"]);
  });

  it("shows nothing twice and leaves nothing out when trials come in between two pages", async () => {
    const first = await list("?limit=4");
    await post([trial("i"), trial("j")]);
    const second = await list(`?limit=4&cursor=${first.next_cursor}`);
    expect([...first.trials, ...second.trials].map((row) => row.trial_id)).toEqual(ALL.toReversed());
    expect(second.next_cursor).toBeNull();
  });
});

describe("a list refuses", () => {
  it.each([
    ["limit=0", "limit", "must be a whole number from 1 to 500"],
    ["limit=501", "limit", "must be a whole number from 1 to 500"],
    ["limit=ten", "limit", "must be a whole number from 1 to 500"],
    ["status=done", "status", "must be one of running, succeeded, failed, skipped, cancelled"],
    ["status=", "status", "must be one of running"],
    ["sync_state=late", "sync_state", "must be one of pending, waiting, blocked, synced"],
    ["spectral_norm=1", "spectral_norm", "must be one of true, false"],
    ["model_run_id=", "model_run_id", "must not be empty"],
    ["sort=loss", "sort", "must be one of created_at, updated_at"],
    ["sort=metrics.", "sort", "or metrics.<key>"],
    ["sort=--rank", "sort", "with - before it for descending"],
    ["stauts=failed", "query parameter", "must be one of limit, cursor, model_run_id, trial_id, status"],
    ["status=failed&status=running", "status", "must be given once"],
    ["cursor=abc", "cursor", "must be a next_cursor of this list, unchanged"],
    ["cursor=%C3%A9", "cursor", "must be a next_cursor of this list, unchanged"],
  ])("%s", async (query, field, rule) => {
    const { status, headers, body } = await request(`/api/trials?${query}`);
    expect(status).toBe(400);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toMatchObject({
      success: false,
      error: "invalid_request",
      errors: [{ field, rule: expect.stringContaining(rule), value: expect.any(String) }],
    });
  });

  it("a cursor of another sort, filter or list", async () => {
    const { next_cursor } = await list("?sort=rank&status=succeeded&limit=1");
    const rule = expect.stringContaining("must be used with the sort and filters it came with");
    for (const path of [
      `/api/trials?sort=-rank&status=succeeded&cursor=${next_cursor}`,
      `/api/trials?sort=rank&cursor=${next_cursor}`,
      `/api/trials?sort=rank&status=failed&cursor=${next_cursor}`,
      `/api/model-runs?cursor=${next_cursor}`,
    ]) {
      const { status, body } = await request(path);
      expect([path, status]).toEqual([path, 400]);
      expect(body).toMatchObject({ errors: [{ field: "cursor", rule }] });
    }
    // The order of parameters and the size of a page may change.
    const again = await list(`?limit=5&status=succeeded&sort=rank&cursor=${next_cursor}`);
    expect(again.trials.map((row) => row.trial_id)).toEqual(["a", "e"]);
  });

  it("names every wrong parameter at once", async () => {
    const { body } = await request("/api/trials?limit=x&status=y&colour=z");
    expect(body).toMatchObject({
      errors: expect.arrayContaining([
        expect.objectContaining({ field: "limit", value: '"x"' }),
        expect.objectContaining({ field: "status", value: '"y"' }),
        expect.objectContaining({ field: "query parameter", value: '"colour"' }),
      ]),
    });
  });

  it("a request without a token", async () => {
    const { status, headers, body } = await request("/api/trials", { token: null });
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toContain("Bearer");
    expect(body).toMatchObject({ error: "unauthenticated", detail: expect.stringContaining("'read'") });
  });
});
