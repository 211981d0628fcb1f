import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { rest } from "../../src/relay/jobs/step.ts";
import { request } from "./api.ts";
import { act, ask, deliver, endAll, mlflow, read, set, trial, WILLING } from "./job-tools.ts";

function unreachable(): void {
  vi.stubGlobal("fetch", () => Promise.reject(new Error("connection refused")));
}

afterEach(async () => {
  vi.unstubAllGlobals();
  await endAll();
});

describe("a job", () => {
  it("that delivers a trial ends with what it delivered", async () => {
    const { job_id } = await ask(`trials/${await trial("b1")}`);
    const called = mlflow(WILLING);
    expect(await deliver(job_id)).toEqual([]);
    expect(called).toContain("runs/create");
    expect(await read(job_id)).toMatchObject({
      state: "succeeded",
      attempts: 0,
      counts: { events_delivered: 1 },
      due_at: null,
      finished_at: expect.stringMatching(/Z$/),
    });
  });

  it("that makes a run makes one, and none where there is one", async () => {
    const id = await trial("b2");
    const { job_id } = await ask(`trials/${id}/run`);
    mlflow(WILLING);
    await deliver(job_id);
    expect(await read(job_id)).toMatchObject({ state: "succeeded", counts: { runs_created: 1 } });
    const again = await ask(`trials/${id}/run`);
    await deliver(again.job_id);
    expect(await read(again.job_id)).toMatchObject({ state: "succeeded", counts: { runs_created: 0 } });
  });

  it("that MLflow refuses has five attempts, each with its error, and begins anew by hand", async () => {
    const { job_id } = await ask(`trials/${await trial("b3")}`);
    // A refusal counts while the server takes other writes, such as a tag on a run that was made before.
    mlflow({ "runs/set-tag": () => ({}) });
    const state = (name: string, attempts: number) => ({ state: name, attempts, snoozes: 0 });
    for (let attempt = 1; attempt < 5; attempt++) {
      expect(await deliver(job_id)).toMatchObject([{ body: { kind: "job", jobId: job_id } }]);
      expect(await read(job_id)).toMatchObject(state("queued", attempt));
      await set(job_id, "due_at = 0");
    }
    expect(await deliver(job_id)).toEqual([]);
    const failed = {
      ...state("failed", 5),
      errors: [1, 2, 3, 4, 5].map((attempt) => ({
        attempt,
        at: expect.stringMatching(/Z$/),
        kind: "invalid",
        error: "invalid: Invalid experiment name",
      })),
    };
    expect(await read(job_id)).toMatchObject(failed);
    expect(await act(job_id, "retry")).toMatchObject({ status: 202, body: state("queued", 0) });
    mlflow(WILLING);
    await deliver(job_id);
    expect(await read(job_id)).toMatchObject({ ...state("succeeded", 0), errors: failed.errors });
  });

  it("leaves a trial forgotten that an operator gave up between two of its attempts", async () => {
    const id = await trial("given up");
    const { job_id } = await ask(`trials/${id}`);
    mlflow({ "runs/set-tag": () => ({}) });
    await deliver(job_id);
    expect(await read(job_id)).toMatchObject({ state: "queued", attempts: 1 });
    const forget = { method: "POST", body: JSON.stringify({ action: "forget" }) };
    expect((await request(`/api/ops/trials/${id}/unblock`, forget)).status).toBe(200);
    const called = mlflow(WILLING);
    await set(job_id, "due_at = 0");
    expect(await deliver(job_id)).toEqual([]);
    expect(called).toEqual([]);
    expect(await read(job_id)).toMatchObject({
      state: "cancelled",
      errors: [{}, { kind: "cancelled", error: expect.stringContaining("forgotten") }],
    });
    expect((await request(`/api/ops/blocked?forgotten=true`)).body).toMatchObject({
      blocked: [{ trial: id, forgotten: true }],
    });
  });

  it("spends an attempt on what goes wrong in the relay itself", async () => {
    const { job_id } = await ask(`trials/${await trial("b4")}`);
    mlflow(WILLING);
    await env.DB.prepare(
      "create trigger broken before update of forced on streams begin select raise(abort, 'disk I/O error'); end",
    ).run();
    await deliver(job_id);
    await env.DB.prepare("drop trigger broken").run();
    expect(await read(job_id)).toMatchObject({
      state: "queued",
      attempts: 1,
      errors: [{ attempt: 1, kind: "internal", error: expect.stringContaining("disk I/O error") }],
    });
  });

  it("waits while MLflow is away, and spends nothing", async () => {
    const { job_id } = await ask(`trials/${await trial("b5")}`);
    // Not known any more, so that the first call is one that can be repeated at once.
    await env.DB.prepare("delete from mlflow_experiments").run();
    unreachable();
    for (const snoozes of [1, 2, 3]) {
      const [again] = await deliver(job_id);
      expect(again?.delaySeconds).toBeGreaterThan(0);
      expect(await read(job_id)).toMatchObject({
        state: "queued",
        attempts: 0,
        snoozes,
        errors: [{ attempt: 1, kind: "snoozed", error: expect.stringContaining("connection refused") }],
      });
      await set(job_id, "due_at = 0");
      await env.DB.prepare("update streams set next_attempt_at = 0 where trial_id = 'b5'").run();
    }
    expect(z.object({ errors: z.array(z.unknown()) }).parse(await read(job_id)).errors).toHaveLength(1);
    mlflow(WILLING);
    await deliver(job_id);
    expect(await read(job_id)).toMatchObject({ state: "succeeded", attempts: 0, snoozes: 3 });
  });

  it.each([1, 2, 7])(
    "does not follow a server for ever that answers %s pages of runs again and again",
    async (round) => {
      const experiment = { experiment_id: "1", name: `endless ${round}`, lifecycle_stage: "active" };
      const called = mlflow({
        ...WILLING,
        "experiments/get-by-name": () => ({ experiment }),
        "runs/search": ({ page_token = 0 }) => ({
          runs: [],
          next_page_token: String((Number(page_token) % round) + 1),
        }),
        "runs/set-tag": () => ({}),
      });
      const { job_id } = await ask("experiments", { body: { experiment_name: experiment.name } });
      for (let message = 0; message < 5; message++) {
        await set(job_id, "due_at = 0");
        await deliver(job_id);
      }
      expect(called.filter((endpoint) => endpoint === "runs/search").length).toBeLessThan(10 + 4 * round);
      expect(await read(job_id)).toMatchObject({
        state: "queued",
        errors: [{ kind: "snoozed", error: expect.stringContaining("repeats a page") }],
      });
    },
  );

  it("does not call MLflow while the breaker is open or delivery is off", async () => {
    const { job_id } = await ask(`trials/${await trial("b6")}`);
    const called = mlflow(WILLING);
    await deliver(job_id, { bindings: { MLFLOW_ENABLED: "false" } });
    expect(await read(job_id)).toMatchObject({ snoozes: 1, errors: [{ error: "MLFLOW_ENABLED is false" }] });
    await set(job_id, "due_at = 0");
    await env.DB.prepare(
      `insert into breakers (server, state, probe_at, last_error, updated_at)
       values ('http://mlflow.test', 'open', ?1, 'no route to host', 1)
       on conflict (server) do update set state = 'open', probe_at = ?1, last_error = excluded.last_error`,
    )
      .bind(Date.now() + 30_000)
      .run();
    const [again] = await deliver(job_id);
    await env.DB.prepare("delete from breakers").run();
    expect(again?.delaySeconds).toBeGreaterThan(20);
    expect(await read(job_id)).toMatchObject({
      attempts: 0,
      snoozes: 2,
      errors: [{ kind: "snoozed", error: "MLflow is away: no route to host" }],
    });
    expect(called).toEqual([]);
  });

  it("is left alone before it is due", async () => {
    const { job_id } = await ask(`trials/${await trial("b7")}`);
    const called = mlflow(WILLING);
    await set(job_id, "due_at = due_at + 600000");
    expect([await deliver(job_id), called]).toEqual([[], []]);
    await set(job_id, "due_at = due_at - 599000");
    expect(await deliver(job_id)).toEqual([{ body: { kind: "job", jobId: job_id }, delaySeconds: 1 }]);
    expect(await read(job_id)).toMatchObject({ state: "queued", snoozes: 0 });
  });

  it("waits for another that is being worked on, and for a message that has it already", async () => {
    const [one, other] = [await ask(`trials/${await trial("b8")}`), await ask(`trials/${await trial("b9")}`)];
    const called = mlflow(WILLING);
    await set(one.job_id, "state = 'running', lease_token = 'x', lease_until = due_at + 600000");
    expect(await deliver(other.job_id)).toMatchObject([{ body: { kind: "job", jobId: other.job_id } }]);
    expect(await deliver(one.job_id)).toEqual([]);
    // Delivered again: its first reader may have died.
    expect(await deliver(one.job_id, { attempts: 2 })).toMatchObject([{ body: { jobId: one.job_id } }]);
    expect(called).toEqual([]);
    // The Worker that had it died, and its lease has run out.
    await set(one.job_id, "lease_until = 1");
    await deliver(one.job_id);
    expect(await read(one.job_id)).toMatchObject({ state: "succeeded" });
  });

  it("is not lost with a dead message", async () => {
    const { job_id } = await ask(`trials/${await trial("b10")}`);
    const sent = await deliver(job_id, { queue: "trial-relay-jobs-dlq" });
    expect(sent).toEqual([{ body: { kind: "job", jobId: job_id }, delaySeconds: 60 }]);
    expect(await read(job_id)).toMatchObject({ state: "queued" });
  });

  it("that pulls a trial without a run is cancelled with the reason", async () => {
    const { job_id } = await ask(`trials/${await trial("b11")}/pull`);
    mlflow(WILLING);
    await deliver(job_id);
    expect(await read(job_id)).toMatchObject({
      state: "cancelled",
      attempts: 0,
      errors: [{ attempt: 1, kind: "cancelled", error: "the trial has no MLflow run yet" }],
    });
  });
});

it("a job rests after a call while live delivery has a trial in hand", async () => {
  await trial("d1");
  const rests: (number | undefined)[] = [];
  vi.stubGlobal("setTimeout", (done: () => void, ms?: number) => {
    rests.push(ms);
    done();
  });
  await rest({ db: env.DB }, 300);
  await env.DB.prepare(
    "update streams set lease_token = 'x', lease_until = 9e15 where trial_id = 'd1'",
  ).run();
  await rest({ db: env.DB }, 300);
  await rest({ db: env.DB }, 30_000);
  await env.DB.prepare("update streams set lease_until = 1 where trial_id = 'd1'").run();
  await rest({ db: env.DB }, 300);
  expect(rests).toEqual([300, 2_000]);
});
