import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { foldAll, idOf, post, request } from "./api.ts";

const RUN = "0199c1f2-7a10-7c3e-9b51-2f6d0a3e4b11";
const AT = "2026-03-01T10:00:00Z";

const runStart = (model_run_id: string, more: object = {}) => ({
  event: "ml.run.start",
  model_run_id,
  requested_trials: 40,
  search_space_version: 2,
  occurred_at: AT,
  ...more,
});
const trialStart = (trial_id: string, spectral_norm: boolean, model_run_id = RUN) => ({
  event: "ml.trial.start",
  model_run_id,
  trial_id,
  spectral_norm,
  occurred_at: AT,
});

const listedRuns = z.object({
  model_runs: z.array(z.looseObject({ model_run_id: z.string() })),
  next_cursor: z.string().nullable(),
});

async function modelRunIds(query: string) {
  const { body } = await request(`/api/model-runs${query}`);
  const page = listedRuns.parse(body);
  return { ids: page.model_runs.map((run) => run.model_run_id), next_cursor: page.next_cursor };
}

describe("model runs", () => {
  const STOP = {
    event: "ml.run.stop",
    model_run_id: RUN,
    state: "completed",
    completed_trials: 39,
    best_metric: 7.876600742340088,
    best_trial_id: "t2",
    metadata: { total_duration_ms: 9504000 },
    occurred_at: "2026-03-01T12:00:00Z",
  };

  beforeAll(async () => {
    const { body } = await post([
      runStart(RUN, {
        max_params: 2_000_000,
        run_name: "ablation of March",
        experiment_name: "spectral_norm_ablation",
        metadata: { sampler: "TPESampler", direction: "minimize" },
      }),
      trialStart("t1", true),
      trialStart("t2", true),
      { ...trialStart("t2", true), event: "ml.trial.complete", metrics: { loss: 1 } },
      trialStart("t3", false),
      { ...trialStart("t3", false), event: "ml.trial.failed", error_message: "OOM" },
      {
        event: "ml.run.metric",
        model_run_id: RUN,
        trial_id: "t4",
        metric_name: "loss",
        metric_value: 1,
        step: 1,
      },
      trialStart("x", true, "stub"),
      runStart("search/1 50% ü+?"),
      { ...STOP, model_run_id: "failed one", state: "failed", error_message: "no space left" },
    ]);
    expect(body).toMatchObject({ accepted: 10 });
    await foldAll();
  });

  it("are listed newest first, in pages, those that were not announced too", async () => {
    const all = [RUN, "stub", "search/1 50% ü+?", "failed one"].toReversed();
    expect(await modelRunIds("")).toEqual({ ids: all, next_cursor: null });
    const first = await modelRunIds("?limit=3");
    expect(first.ids).toEqual(all.slice(0, 3));
    expect(await modelRunIds(`?limit=3&cursor=${first.next_cursor}`)).toEqual({
      ids: all.slice(3),
      next_cursor: null,
    });
  });

  it.each([
    ["running", ["search/1 50% ü+?", RUN]],
    ["initialized", ["stub"]],
    ["failed", ["failed one"]],
    ["succeeded", []],
  ])("are filtered by the state %s", async (state, ids) => {
    expect(await modelRunIds(`?state=${state}`)).toEqual({ ids, next_cursor: null });
  });

  it.each([
    ["search=MARCH", [RUN]],
    ["search=%25", ["search/1 50% ü+?"]],
    ["search=nothing", []],
    ["sort=created_at", [RUN, "stub", "search/1 50% ü+?", "failed one"]],
    ["sort=model_run_id", [RUN, "failed one", "search/1 50% ü+?", "stub"]],
    ["sort=-best_metric", ["failed one", "search/1 50% ü+?", "stub", RUN]],
  ])("are searched and sorted by %s, over pages as on one", async (query, ids) => {
    expect(await modelRunIds(`?${query}`)).toEqual({ ids, next_cursor: null });
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await modelRunIds(`?${query}&limit=1${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.ids);
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(ids);
  });

  it("refuse a state and a parameter that there is none of", async () => {
    const { status, body } = await request("/api/model-runs?state=completed&page=2");
    expect(status).toBe(400);
    expect(body).toMatchObject({
      errors: expect.arrayContaining([
        {
          field: "state",
          rule: "must be one of initialized, running, succeeded, failed, cancelled",
          value: '"completed"',
        },
        {
          field: "query parameter",
          rule: "must be one of limit, cursor, state, search, sort",
          value: '"page"',
        },
      ]),
    });
  });

  it("show everything of one, with its trials counted, and what was not folded yet", async () => {
    await post(STOP);
    await env.DB.prepare("update streams set blocked_kind = 'gone_run' where trial_id = 't3'").run();
    const { status, body } = await request(`/api/model-runs/${RUN}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      model_run_id: RUN,
      state: "succeeded",
      run_name: "ablation of March",
      experiment_name: "spectral_norm_ablation",
      requested_trials: 40,
      completed_trials: 39,
      search_space_version: 2,
      max_params: 2_000_000,
      best_metric: 7.876600742340088,
      best_trial_id: "t2",
      sync_state: "pending",
      mlflow_run_id: null,
      mlflow_experiment_id: null,
      started_at: "2026-03-01T10:00:00.000Z",
      ended_at: "2026-03-01T12:00:00.000Z",
      metadata: { sampler: "TPESampler", direction: "minimize" },
      fields: { stop_metadata: { total_duration_ms: 9504000 } },
      parameters: { requested_trials: "40", search_space_version: "2", max_params: "2000000" },
      tags: { best_trial_id: "t2", "metadata.sampler": "TPESampler" },
      metrics: { best_metric: { last: 7.876600742340088, count: 1 } },
      trials: {
        total: 4,
        by_status: { running: 2, succeeded: 1, failed: 1, skipped: 0, cancelled: 0 },
        by_sync_state: { pending: 3, waiting: 0, blocked: 1, synced: 0 },
        by_spectral_norm: { true: 2, false: 1, unknown: 1 },
      },
      counts: { events: 2, undelivered_events: 2, dead_letters: 0, conflicts: 0 },
    });
    await foldAll();
    const { body: folded } = await request(`/api/model-runs/${RUN}`);
    const { updated_at: _, ...rest } = z.looseObject({}).parse(body);
    expect(folded).toMatchObject(rest);
  });

  it("are found by any id that a trainer may choose", async () => {
    const id = "search/1 50% ü+?";
    const { status, body } = await request(`/api/model-runs/${encodeURIComponent(id)}`);
    expect([status, body]).toMatchObject([200, { model_run_id: id, state: "running" }]);
    const missing = await request("/api/model-runs/search%2F2");
    expect([missing.status, missing.body]).toMatchObject([
      404,
      { detail: "There is no model run search/2." },
    ]);
  });
});

describe("the mirror of MLflow", () => {
  const RUNS = ["0".repeat(32), "1".repeat(32), "2".repeat(32), "3".repeat(32)];

  beforeAll(async () => {
    const experiment = env.DB.prepare(
      "insert into mlflow_experiments (mlflow_experiment_id, name, artifact_location, lifecycle_stage, synced_at) values (?1, ?2, 'mlflow-artifacts:/1', 'active', 86400000)",
    );
    const run = env.DB.prepare(
      `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, run_name, status, start_time, lifecycle_stage, synced_at)
       values (?1, ?2, (select id from streams where kind = ?3 and ?4 in (trial_id, model_run_id) limit 1), 'r', ?5, ?6, 'active', 5000)`,
    );
    await env.DB.batch([
      experiment.bind("10", "beta"),
      experiment.bind("9", "alpha"),
      experiment.bind("11", "gamma"),
      run.bind(RUNS[0], "9", "trial", "t1", "FINISHED", 1000),
      run.bind(RUNS[1], "9", "model_run", RUN, "RUNNING", 3000),
      run.bind(RUNS[2], "9", "trial", "nobody", "RUNNING", 3000),
      run.bind(RUNS[3], "10", "trial", "nobody", "FAILED", null),
      // As delivery links them.
      env.DB.prepare(
        `update streams set (mlflow_run_id, mlflow_experiment_id) = (r.mlflow_run_id, r.mlflow_experiment_id)
         from mlflow_runs r where r.stream_id = streams.id`,
      ),
    ]);
  });

  it("lists experiments by name, in pages, with their runs counted", async () => {
    const { body } = await request("/api/experiments?limit=2");
    const none = { SCHEDULED: 0, KILLED: 0 };
    const common = {
      artifact_location: "mlflow-artifacts:/1",
      lifecycle_stage: "active",
      synced_at: "1970-01-02T00:00:00.000Z",
    };
    const alpha = {
      mlflow_experiment_id: "9",
      name: "alpha",
      ...common,
      runs: { total: 3, by_status: { ...none, RUNNING: 2, FINISHED: 1, FAILED: 0 } },
    };
    expect(body).toEqual({
      experiments: [
        alpha,
        {
          mlflow_experiment_id: "10",
          name: "beta",
          ...common,
          runs: { total: 1, by_status: { ...none, RUNNING: 0, FINISHED: 0, FAILED: 1 } },
        },
      ],
      next_cursor: expect.any(String),
    });
    const { next_cursor } = z.object({ next_cursor: z.string() }).parse(body);
    const rest = await request(`/api/experiments?limit=2&cursor=${next_cursor}`);
    expect(rest.body).toMatchObject({
      experiments: [{ name: "gamma", runs: { total: 0 } }],
      next_cursor: null,
    });
    expect((await request("/api/experiments/9")).body).toEqual({
      ...alpha,
      tags: null,
      former_names: [],
      creation_time: null,
      last_update_time: null,
      model_runs: [expect.objectContaining({ model_run_id: RUN })],
    });
    expect((await request("/api/experiments/404")).status).toBe(404);
    expect((await request("/api/experiments?name=alpha")).status).toBe(400);
  });

  it.each([
    ["", [2, 1, 0, 3]],
    ["experiment_id=9", [2, 1, 0]],
    ["experiment_id=9&status=RUNNING", [2, 1]],
    ["status=FAILED", [3]],
    ["status=KILLED", []],
  ])("lists runs, latest start first, by '%s'", async (filter, expected) => {
    const seen: string[] = [];
    let cursor = "";
    do {
      const { body } = await request(
        `/api/runs?limit=1&${filter}${cursor === "" ? "" : `&cursor=${cursor}`}`,
      );
      const page = z
        .object({
          runs: z.array(z.looseObject({ mlflow_run_id: z.string() })),
          next_cursor: z.string().nullable(),
        })
        .parse(body);
      seen.push(...page.runs.map((run) => run.mlflow_run_id));
      cursor = page.next_cursor ?? "";
    } while (cursor !== "");
    expect(seen).toEqual(expected.map((index) => RUNS[index]));
  });

  it("shows a run with the trial or the model run that it belongs to", async () => {
    expect((await request(`/api/runs/${RUNS[0]}`)).body).toEqual({
      mlflow_run_id: RUNS[0],
      mlflow_experiment_id: "9",
      run_name: "r",
      status: "FINISHED",
      start_time: "1970-01-01T00:00:01.000Z",
      end_time: null,
      lifecycle_stage: "active",
      artifact_uri: null,
      synced_at: "1970-01-01T00:00:05.000Z",
      user_id: null,
      trial: { id: await idOf("t1"), model_run_id: RUN, trial_id: "t1" },
      model_run: null,
      double_of: null,
      params: null,
      tags: null,
      metrics: null,
      inputs: null,
      truncated: null,
    });
    expect((await request(`/api/runs/${RUNS[1]}`)).body).toMatchObject({
      trial: null,
      model_run: { model_run_id: RUN },
    });
    expect((await request(`/api/runs/${RUNS[2]}`)).body).toMatchObject({ trial: null, model_run: null });
    expect((await request(`/api/runs/${"f".repeat(32)}`)).status).toBe(404);
    const { status, body } = await request("/api/runs?status=running");
    expect([status, body]).toMatchObject([400, { errors: [{ field: "status", value: '"running"' }] }]);
  });
});
