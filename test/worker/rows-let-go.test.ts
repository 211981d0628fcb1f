import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { app } from "../../src/app.ts";
import { handOver } from "../../src/relay/artifacts/hand-over.ts";
import { deliverExperiment } from "../../src/relay/delivery/deliver-experiment.ts";
import { deliverModel } from "../../src/relay/delivery/deliver-model.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { wire } from "../../src/wire.ts";
import { ADMIN, idOf, post } from "./api.ts";
import { arrived } from "./arrived.ts";
import { endless } from "./endless.ts";
import { call, newRun } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";
import { recordingQueue } from "./job-tools.ts";
import { losing } from "./losing.ts";

/**
 * An experiment, a logged model or a file of which one answer of the database is lost on its way to MLflow is not held for
 * as long as its lease would last: its message comes again in two seconds, and finds it free.
 */

beforeEach(emptied);

const WHEN = ["before", "after"] as const;

/** Loses one round trip after the other, each of an own world, until one has no more of them. */
async function atEach(
  when: (typeof WHEN)[number],
  among: RegExp,
  bring: (losing: (deps: Deps) => Deps) => Promise<void>,
): Promise<number> {
  for (let nth = 0; ; nth++) {
    const lossy = losing({ isLost: (n) => n === nth, when, among });
    await bring((deps) => ({ ...deps, db: endless(wire({ ...env, DB: lossy.db }, {})).db, random: () => 0 }));
    if (lossy.losses() === 0) return nth;
  }
}

/** The first of the two tries meets the loss; the second follows at once. */
async function twice(work: (deps: Deps) => Promise<unknown>, lossy: Deps, sound: Deps): Promise<void> {
  await work(lossy).catch(() => undefined);
  await work(sound);
}

test.each(WHEN)(
  "an experiment is brought by the next try where an answer was lost, %s it took effect",
  async (when) => {
    const lost = await atEach(when, /gateway_experiments/, async (losing) => {
      const w = gatewayWorld();
      const id = await w.experiment();
      await call("experiments/set-experiment-tag", { experiment_id: id, key: "a", value: "1" });
      await twice((deps) => deliverExperiment(deps, id), losing(w.deps), w.deps);
      const query = "select delivered_version = version as isThere from gateway_experiments where id = ?1";
      expect(await env.DB.prepare(query).bind(id).first("isThere")).toBe(1);
    });
    expect(lost).toBeGreaterThan(3);
  },
);

test.each(WHEN)(
  "a logged model is brought by the next try where an answer was lost, %s it took effect",
  async (when) => {
    const lost = await atEach(when, /^\s*update gateway_models/, async (losing) => {
      const w = gatewayWorld();
      const experiment_id = await w.experiment();
      const run_id = await newRun({ experiment_id });
      await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step: 1 });
      await w.deliver();
      const made = await call("logged-models", {
        experiment_id,
        name: "tree",
        source_run_id: run_id,
        tags: [{ key: "a", value: "1" }],
      });
      const id: string = made.body.model.info.model_id;
      await call(`logged-models/${id}/tags`, { tags: [{ key: "b", value: "1" }] });
      await env.DB.prepare("update gateway_models set touched_at = 1 where id = ?1").bind(id).run();
      await twice((deps) => deliverModel(deps, id), losing(w.deps), w.deps);
      // A create of which the intent was kept is looked for, and not made again, until it can no longer land.
      const query = "select lease_until < 1e12 as isFree from gateway_models where id = ?1";
      expect(await env.DB.prepare(query).bind(id).first("isFree")).toBe(1);
    });
    expect(lost).toBeGreaterThan(1);
  },
);

test("a file of which the bucket gives no bytes at one time is handed over by the next try", async () => {
  const files = recordingQueue();
  const bindings = {
    ...env,
    TRIALS: recordingQueue().queue,
    JOBS: recordingQueue().queue,
    FILES: files.queue,
  };
  await post({ event: "ml.trial.start", model_run_id: "files", trial_id: "t", spectral_norm: false });
  const trial = await idOf("t");
  await app.request(
    `/api/trials/${trial}/artifacts/a.txt`,
    { method: "PUT", body: "a", headers: { authorization: `Bearer ${ADMIN}`, "content-length": "1" } },
    bindings,
    createExecutionContext(),
  );
  await arrived(trial, { runId: "1".repeat(32), root: "mlflow-artifacts:/1/r/artifacts" });
  let asked = 0;
  const deps = endless(
    wire(bindings, {}, async () => {
      asked++;
      return Response.json({});
    }),
  );
  const id = (await env.DB.prepare("select id from artifacts").first<number>("id")) ?? 0;
  const get = () =>
    Promise.reject(new Error("get: We encountered an internal error. Please try again. (10001)"));
  const bucket: R2Bucket = Object.assign(Object.create(env.ARTIFACTS), { get });
  await handOver({ ...deps, bucket }, id).catch(() => undefined);
  expect(asked).toBe(0);
  await handOver(deps, id);
  expect(asked).toBeGreaterThan(0);
});
