import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { pokeDueJobs } from "../../src/relay/jobs/jobs.ts";
import { pruneJobs } from "../../src/store/jobs/records.ts";
import { wire } from "../../src/wire.ts";
import { request } from "./api.ts";
import { act, ask, deliver, endAll, mlflow, read, recordingQueue, set, trial, WILLING } from "./job-tools.ts";

const refusing = { ...env.JOBS, send: () => Promise.reject(new Error("Queue send failed: 10250")) };

afterEach(async () => {
  vi.unstubAllGlobals();
  await endAll();
});

describe("asking", () => {
  it("is answered with the job, which waits for the queue", async () => {
    const id = await trial("a1");
    const { sent, queue } = recordingQueue();
    const answer = await ask(`trials/${id}`, { bindings: { JOBS: queue } });
    expect(answer.headers.get("location")).toBe(`/api/sync/jobs/${answer.job_id}`);
    expect(answer.body).toEqual({
      success: true,
      action: "sync_trial_to_mlflow",
      id,
      model_run_id: "study",
      trial_id: "a1",
      job_id: answer.job_id,
      state: "queued",
      created: true,
      message: "The trial will be brought up to date in MLflow",
    });
    expect(sent).toEqual([{ body: { kind: "job", jobId: answer.job_id }, delaySeconds: 0 }]);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(await read(answer.job_id)).toEqual({
      id: answer.job_id,
      action: "sync_trial_to_mlflow",
      target: id,
      origin: "request",
      state: "queued",
      attempts: 0,
      max_attempts: 5,
      snoozes: 0,
      errors: [],
      counts: {},
      progress: null,
      due_at: time,
      created_at: time,
      updated_at: time,
      finished_at: null,
    });
  });

  it("again while the job is outstanding is answered with the same one, and sends nothing", async () => {
    const id = await trial("a2");
    const first = await ask(`trials/${id}/run`);
    const { sent, queue } = recordingQueue();
    const second = await ask(`trials/${id}/run`, { bindings: { JOBS: queue } });
    expect([second.job_id, second.created, sent]).toEqual([first.job_id, false, []]);
    expect((await ask(`trials/${id}`)).job_id).not.toBe(first.job_id);
    await act(first.job_id, "cancel");
    expect(await ask(`trials/${id}/run`)).toMatchObject({ created: true });
  });

  it("is kept while the queue refuses, and found by the cron or by asking again", async () => {
    const id = await trial("a3");
    const { job_id, message } = await ask(`trials/${id}`, { bindings: { JOBS: refusing } });
    expect(message).toContain("the cron will start the job");
    const { sent, queue } = recordingQueue();
    const deps = { ...wire(env, {}), jobs: queue };
    expect([await pokeDueJobs(deps), sent]).toEqual([0, []]);
    await set(job_id, "due_at = due_at - 60000");
    expect([await pokeDueJobs(deps), sent]).toEqual([1, [{ body: { kind: "job", jobId: job_id } }]]);
    expect(await ask(`trials/${id}`, { bindings: { JOBS: queue } })).toMatchObject({
      job_id,
      created: false,
    });
    expect(sent.map(({ body }) => body)).toEqual(Array(2).fill({ kind: "job", jobId: job_id }));
  });

  it("about a model run means its own run", async () => {
    await trial("a4");
    const { job_id, body } = await ask("model-runs/study/pull");
    expect(body).toMatchObject({ action: "sync_mlflow_to_trial", model_run_id: "study", trial_id: null });
    const key = await env.DB.prepare("select key from streams where kind = 'model_run'").first("key");
    expect(await read(job_id)).toMatchObject({ target: key });
  });

  it("about an experiment takes MLflow's id or its name, each once", async () => {
    const byId = await ask("experiments", { body: { experiment_id: "7" } });
    expect(await read(byId.job_id)).toMatchObject({ action: "sync_experiment", target: "7" });
    const byName = await ask("experiments", { body: { experiment_name: "moons" } });
    expect(await read(byName.job_id)).toMatchObject({ action: "sync_experiment", target: "name:moons" });
    const again = await ask("experiments", { body: { experiment_name: "moons" } });
    expect([again.job_id, again.created]).toEqual([byName.job_id, false]);
  });

  it.each([
    [{}, "body", "must have exactly one of experiment_id and experiment_name"],
    [{ experiment_id: "1", experiment_name: "moons" }, "body", "must have exactly one of"],
    [{ experiment_id: "name:moons" }, "experiment_id", "must be MLflow's id of an experiment"],
    [{ experiment_name: "" }, "experiment_name", "must be a text of 1 to 256 characters"],
    [{ name: "moons" }, "name", "is not a field of this request"],
  ])("about the experiment %j is refused", async (body, field, rule) => {
    const answer = await request("/api/sync/experiments", { method: "POST", body: JSON.stringify(body) });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ field, rule: expect.stringContaining(rule) }] });
  });

  it.each(["trials/unknown", "trials/unknown/run", "model-runs/unknown", "model-runs/unknown/pull"])(
    "about %s is refused",
    async (path) => {
      expect((await request(`/api/sync/${path}`, { method: "POST" })).status).toBe(404);
    },
  );
});

describe("an operator", () => {
  it("cancels a job that waits, once", async () => {
    const { job_id } = await ask(`trials/${await trial("c1")}`);
    const entry = { attempt: 1, kind: "cancelled", error: "cancelled by an operator" };
    expect(await act(job_id, "cancel")).toMatchObject({
      status: 200,
      body: { state: "cancelled", errors: [entry], finished_at: expect.stringMatching(/Z$/) },
    });
    expect(await act(job_id, "cancel")).toMatchObject({
      status: 409,
      body: { error: "conflict", detail: `Job ${job_id} is over: it is cancelled.` },
    });
    const called = mlflow(WILLING);
    expect([await deliver(job_id), called]).toEqual([[], []]);
    expect((await act("unknown", "cancel")).status).toBe(404);
    expect((await act("unknown", "retry")).status).toBe(404);
  });

  it("cancels a job that runs: what it was doing is not stored", async () => {
    const { job_id } = await ask(`trials/${await trial("c2")}`);
    let during: unknown;
    mlflow(WILLING, async () => {
      during ??= (await act(job_id, "cancel")).body;
    });
    await deliver(job_id);
    expect(during).toMatchObject({ state: "cancelled" });
    expect(await read(job_id)).toMatchObject({ state: "cancelled", counts: {} });
    const lease = await env.DB.prepare("select lease_token from jobs where id = ?1").bind(job_id).first();
    expect(lease).toEqual({ lease_token: null });
  });

  it("retries what failed or was cancelled, unless another for the same is outstanding", async () => {
    const id = await trial("c3");
    const { job_id } = await ask(`trials/${id}`);
    expect(await act(job_id, "retry")).toMatchObject({
      status: 409,
      body: { detail: `Job ${job_id} is queued; only a failed or cancelled one can be retried.` },
    });
    await act(job_id, "cancel");
    const other = await ask(`trials/${id}`);
    expect(await act(job_id, "retry")).toMatchObject({
      status: 409,
      body: { detail: `Another job sync_trial_to_mlflow for ${id} is outstanding.` },
    });
    await act(other.job_id, "cancel");
    // Of another target an outstanding one does not matter.
    await ask(`trials/${await trial("c4")}`);
    expect(await act(job_id, "retry")).toMatchObject({ status: 202, body: { state: "queued", counts: {} } });
  });

  it("lists jobs, the latest first, by state and action", async () => {
    await env.DB.prepare("delete from jobs").run();
    const id = await trial("c5");
    const made = [await ask(`trials/${id}`), await ask(`trials/${id}/run`), await ask(`trials/${id}/pull`)];
    const [one, two, three] = made.map(({ job_id }) => job_id);
    await act(two ?? "", "cancel");
    const list = async (query: string) => {
      const { body } = await request(`/api/sync/jobs?${query}`);
      const page = z.object({
        jobs: z.array(z.object({ id: z.string() })),
        next_cursor: z.string().nullable(),
      });
      const { jobs, next_cursor } = page.parse(body);
      return { ids: jobs.map((job) => job.id), next_cursor };
    };
    const first = await list("limit=2");
    expect(first.ids).toEqual([three, two]);
    const second = await list(`limit=2&cursor=${first.next_cursor}`);
    expect(second).toEqual({ ids: [one], next_cursor: null });
    expect((await list("state=cancelled")).ids).toEqual([two]);
    expect((await list("state=queued&action=sync_trial_to_mlflow")).ids).toEqual([one]);
    expect((await request("/api/sync/jobs?state=done")).status).toBe(400);
  });
});

it("jobs that ended a month ago are pruned, a few at a time; what is outstanding stays", async () => {
  await env.DB.prepare("delete from jobs").run();
  const old = Date.now() - 31 * 86_400_000;
  const rows = ["succeeded", "failed", "cancelled", "queued"].map((state) => [
    state,
    old,
    state === "queued" ? null : old,
  ]);
  rows.push(["succeeded", old, Date.now()]);
  await env.DB.prepare(
    `insert into jobs (id, action, target, state, origin, due_at, created_at, updated_at, finished_at)
     select key, 'create_run', key, value ->> 0, 'cron', 1, value ->> 1, 1, value ->> 2 from json_each(?1)`,
  )
    .bind(JSON.stringify(rows))
    .run();
  expect([await pruneJobs(env.DB, Date.now(), 2), await pruneJobs(env.DB, Date.now(), 2)]).toEqual([2, 1]);
  const left = await env.DB.prepare("select state from jobs order by id").all();
  expect(left.results).toEqual([{ state: "queued" }, { state: "succeeded" }]);
});
