import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { post, request } from "./api.ts";
import { ask, deliver, deliverMessage, endAll, read, set } from "./job-tools.ts";
import { TrackingServer } from "./tracking-server.ts";

/** Many runs that were changed in MLflow at once: more than an invocation has statements for. */

const RUNS = 300;
/** A name and a tag of each. */
const EDITS = 2 * RUNS;
const MOST_MESSAGES = 10;

afterEach(async () => {
  vi.unstubAllGlobals();
  await endAll();
});

/**
 * Asks for the experiment and has each message handled by an invocation of its own, under the platform's limits, and
 * when it is due: one that comes early is only sent again, the more often the faster the machine.
 */
async function pulled(experiment_id: string) {
  const { job_id } = await ask("experiments", { body: { experiment_id } });
  for (let messages = 1; messages <= MOST_MESSAGES; messages++) {
    await set(job_id, "due_at = 0");
    for (const { body } of await deliver(job_id)) if (body.kind !== "job") await deliverMessage(body);
    const { state, counts, errors } = Object(await read(job_id));
    if (state !== "queued" && state !== "running") return { state, counts, errors, messages };
  }
  throw new Error(`the job goes on after ${MOST_MESSAGES} messages`);
}

const takenOver = async () =>
  (await env.DB.prepare("select count(*) as n from events where type = 'relay.mlflow'").first<number>("n")) ??
  0;

test("a pull of 300 changed runs ends within bounded invocations, each change taken over once", async () => {
  const server = new TrackingServer();
  vi.stubGlobal("fetch", server.fetch);
  server.experiment("1", "edited");
  const names = Array.from({ length: RUNS }, (_, i) => `t${i}`);
  await post(
    names.map((trial_id) => ({ event: "ml.trial.start", model_run_id: "s", trial_id, spectral_norm: true })),
  );
  const runs = names.map((name) =>
    server.run("1", {
      tags: [
        { key: "thunderline_trial_id", value: name },
        { key: "thunderline_model_run_id", value: "s" },
      ],
    }),
  );
  expect(await pulled("1")).toMatchObject({ state: "succeeded", errors: [], counts: { linked: RUNS } });

  const before = await takenOver();
  for (const { info, data } of runs) {
    info.run_name = `${info.run_name}, seen`;
    data.tags?.push({ key: "reviewer", value: "anna" });
  }
  const second = await pulled("1");
  expect(second).toMatchObject({
    state: "succeeded",
    errors: [],
    counts: { runs: RUNS, created: 0, updated: RUNS, deleted: 0 },
  });
  expect(second.messages).toBeGreaterThan(1);
  expect((await takenOver()) - before).toBe(EDITS);
  const { body } = await request("/api/runs?experiment_id=1&filter=tags.reviewer='anna'&limit=500");
  expect(Object(body).runs).toHaveLength(RUNS);
  expect(await pulled("1")).toMatchObject({ state: "succeeded", counts: { updated: 0, unchanged: RUNS } });
  expect((await takenOver()) - before).toBe(EDITS);
});
