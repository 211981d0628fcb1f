import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { summarizeModelRuns } from "../../src/relay/cron/summaries.ts";
import { mirrorExperiment } from "../../src/store/mirror/experiments.ts";
import { wire } from "../../src/wire.ts";
import { foldAll, post, request } from "./api.ts";
import { metric, start } from "./payloads.ts";

const queue = { send: async () => {}, sendBatch: async () => {} };
const deps = (more: object = {}) =>
  wire(Object.assign({ ...env, ...more }, { TRIALS: queue, JOBS: queue }), {});

const announced = (model_run_id: string, more: object = {}) => ({
  event: "ml.run.start",
  model_run_id,
  requested_trials: 3,
  search_space_version: 1,
  ...more,
});
const skipped = (model_run_id: string, trial_id: string) => ({
  event: "ml.trial.skipped",
  model_run_id,
  trial_id,
});

async function tagsOf(modelRunId: string): Promise<Record<string, string>> {
  const { body } = await request(`/api/model-runs/${modelRunId}`);
  return z.looseObject({ tags: z.record(z.string(), z.string()) }).parse(body).tags;
}

async function summarized(more: object = {}): Promise<number> {
  const count = await summarizeModelRuns(deps(more));
  await foldAll();
  return count;
}

describe("the summary tags of a model run", () => {
  it("say how its trials fare, and nothing is written while nothing changes", async () => {
    await post([announced("sum"), start("s1", { model_run_id: "sum" }), skipped("sum", "s2")]);
    await foldAll();
    expect(await summarized()).toBe(1);
    expect(await tagsOf("sum")).toEqual({
      thunderline_trials_total: "2",
      thunderline_trials_running: "1",
      thunderline_trials_succeeded: "0",
      thunderline_trials_failed: "0",
      thunderline_trials_skipped: "1",
      thunderline_trials_cancelled: "0",
    });
    expect(await summarized()).toBe(0);
    await post(metric("s1", { model_run_id: "sum", metric_name: "loss", metric_value: 1 }));
    await foldAll();
    expect(await summarized()).toBe(0);
    await post(skipped("sum", "s1"));
    await foldAll();
    expect(await summarized()).toBe(1);
    expect(await tagsOf("sum")).toMatchObject({
      thunderline_trials_running: "0",
      thunderline_trials_skipped: "2",
    });
    const { results } = await env.DB.prepare(
      "select distinct event_id from events where type = 'relay.summary'",
    ).all();
    expect(results).toHaveLength(2);
  });

  it("are said once a model run is announced or goes on, however long ago its trials changed", async () => {
    await post([
      start("l1", { model_run_id: "late" }),
      announced("halted"),
      start("h1", { model_run_id: "halted" }),
    ]);
    await foldAll();
    const block = env.DB.prepare(
      "update streams set blocked_kind = ?2 where model_run_id = ?1 and kind = 'model_run'",
    );
    await block.bind("halted", "gone_run").run();
    expect(await summarized()).toBe(0);
    await env.DB.prepare("update trials set updated_at = 0").run();
    await post(announced("late"));
    await foldAll();
    await block.bind("halted", null).run();
    expect(await summarized()).toBe(2);
    expect(await tagsOf("late")).toMatchObject({ thunderline_trials_total: "1" });
    expect(await tagsOf("halted")).toMatchObject({ thunderline_trials_total: "1" });
    await summarized();
    const due = env.DB.prepare("select count(*) as n from trial_counts where summary_due_at is not null");
    expect(await due.first("n")).toBe(0);
  });

  it("are said of all that changed, also where more changed than a pass looks at, of what stands still last", async () => {
    const ids = Array.from({ length: 230 }, (_, i) => `many-${i}`);
    await post(ids.flatMap((id) => [announced(id), start(`${id}-t`, { model_run_id: id })]));
    await foldAll();
    await env.DB.prepare(
      "update streams set blocked_kind = 'gone_run' where model_run_id like 'many-1%' and kind = 'model_run'",
    ).run();
    let said = 0;
    for (let pass = 0; pass < 4; pass++) said += await summarized();
    expect(said).toBe(ids.filter((id) => !id.startsWith("many-1")).length);
  });

  it("are said of no model run that is a stub, stopped, or not to be a run", async () => {
    await post([start("u1", { model_run_id: "unannounced" }), announced("stopped"), announced("plain")]);
    await post([start("u2", { model_run_id: "stopped" }), start("u3", { model_run_id: "plain" })]);
    await foldAll();
    const block = env.DB.prepare(
      "update streams set blocked_kind = ?2 where model_run_id = ?1 and kind = 'model_run'",
    );
    await block.bind("stopped", "gone_run").run();
    expect(await summarized({ RELAY_PARENT_RUNS: "false" })).toBe(0);
    expect(await summarized()).toBe(1);
    expect(await tagsOf("plain")).toMatchObject({ thunderline_trials_total: "1" });
    expect(await tagsOf("stopped")).toEqual({});
  });

  it("leave when the model run began and whether it is heard as they were", async () => {
    await post([
      announced("quiet", { occurred_at: 1_700_000_000_000 }),
      start("q1", { model_run_id: "quiet" }),
    ]);
    await foldAll();
    const heard = () =>
      env.DB.prepare(
        "select heard_at from streams where model_run_id = 'quiet' and kind = 'model_run'",
      ).first<number>("heard_at");
    const before = await heard();
    expect(await summarized()).toBe(1);
    expect(await heard()).toBe(before);
    expect((await request("/api/model-runs/quiet")).body).toMatchObject({
      state: "running",
      started_at: "2023-11-14T22:13:20.000Z",
    });
  });
});

describe("renaming an experiment", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  const experiment = (experimentId: string, name: string) => ({
    experimentId,
    name,
    artifactLocation: null,
    lifecycleStage: "active" as const,
    creationTime: null,
    lastUpdateTime: null,
    tags: [],
  });
  const rename = (id: string, name: unknown, more: object = {}) =>
    request(`/api/experiments/${id}`, { method: "PATCH", body: JSON.stringify({ name, ...more }) });

  /** An MLflow that has one experiment, and answers a rename as told. */
  function mlflow(id: string, named: string, answer: (name: string) => Response) {
    let name = named;
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      if (url.includes("experiments/update")) {
        const { new_name } = z.object({ new_name: z.string() }).parse(JSON.parse(String(init.body)));
        const response = answer(new_name);
        if (response.status < 400 || response.status > 501) name = new_name;
        return response;
      }
      return Response.json({ experiment: { experiment_id: id, name, lifecycle_stage: "active" } });
    });
  }

  it("changes its name here too, for its runs as well, and keeps the old one", async () => {
    await mirrorExperiment(env.DB, experiment("71", "first"), 1);
    await post(announced("in first", { experiment_name: "first" }));
    await foldAll();
    await env.DB.prepare(
      "update streams set mlflow_experiment_id = '71', experiment_name = 'first' where model_run_id = 'in first'",
    ).run();
    mlflow("71", "first", () => Response.json({}));
    expect(await rename("71", "second")).toMatchObject({
      status: 200,
      body: { mlflow_experiment_id: "71", name: "second" },
    });
    const former = await env.DB.prepare(
      "select former_names from mlflow_experiments where mlflow_experiment_id = '71'",
    ).first<string>("former_names");
    expect(JSON.parse(former ?? "")).toEqual(["first"]);
    expect((await request("/api/model-runs/in%20first")).body).toMatchObject({
      experiment_name: "second",
      mlflow_experiment_id: "71",
    });
  });

  it("is done when MLflow's answer was lost but its work was not", async () => {
    await mirrorExperiment(env.DB, experiment("72", "lost"), 1);
    mlflow("72", "lost", () => new Response("<html>Bad gateway</html>", { status: 502 }));
    expect(await rename("72", "found")).toMatchObject({ status: 200, body: { name: "found" } });
  });

  it("is a 409 for a name that is taken, and a 503 while MLflow is away", async () => {
    await mirrorExperiment(env.DB, experiment("73", "kept"), 1);
    const message = "(sqlite3.IntegrityError) UNIQUE constraint failed: experiments.name";
    mlflow("73", "kept", () => Response.json({ error_code: "BAD_REQUEST", message }, { status: 400 }));
    expect(await rename("73", "taken")).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('has the name "taken"') },
    });
    vi.stubGlobal("fetch", () => Promise.reject(new Error("connection refused")));
    const away = await rename("73", "later");
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "5"]);
    expect((await request("/api/experiments/73")).body).toMatchObject({ name: "kept" });
  });

  it.each([
    ["", "name"],
    ["x".repeat(257), "name"],
    [7, "name"],
    [undefined, "name"],
  ])("is refused for the name %j", async (name, field) => {
    await mirrorExperiment(env.DB, experiment("74", "same"), 1);
    expect(await rename("74", name)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    expect(await rename("unknown", "fine")).toMatchObject({ status: 404 });
  });
});
