import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { FAULTS } from "../lib/fault-proxy.ts";
import { lossAt, trialOf } from "../lib/one-trial.ts";
import { type Lab, openLab } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  // As a user's: wrangler's own queues send again what was not done.
  lab = await openLab({ MLFLOW_AUTO_SYNC: "false" }, { inWranglerDev: true });
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

const trialList = z.object({ trials: z.tuple([z.object({ id: z.string() })]) });
const job = z.object({
  state: z.string(),
  attempts: z.number(),
  snoozes: z.number(),
  counts: z.record(z.string(), z.number()),
  errors: z.array(z.object({ attempt: z.number(), kind: z.string(), error: z.string() })),
});

/** Sends a trial, of which nothing goes to MLflow by itself; its public id. */
async function keptTrial(name: string): Promise<string> {
  const t = trialOf(name);
  await lab.relay.send([t.announce(), t.start({ parameters: { lr: 0.1 } }), t.metric(0, 5), t.metric(1, 4)]);
  await lab.relay.until(`${name} is folded`, () =>
    lab.relay.store.behind(name).every((stream) => stream.folded_seq === stream.last_seq),
  );
  const { body } = await lab.relay.get(`/api/trials?model_run_id=${name}`);
  return trialList.parse(body).trials[0].id;
}

async function ask(path: string): Promise<string> {
  const answer = await lab.relay.ask(path);
  expect(answer).toMatchObject({ status: 202, body: { created: true } });
  return z.string().parse(answer.headers.get("location"));
}

const read = async (address: string) => job.parse((await lab.relay.get(address)).body);

/** Waits until the job is so. */
async function reached(address: string, what: string, is: (now: z.output<typeof job>) => boolean) {
  let seen: unknown;
  await lab.relay
    .until(`${address} ${what}`, async () => {
      const now = await read(address);
      seen = now;
      return is(now);
    })
    .catch((error: unknown) => {
      throw new Error(`${error}\n${JSON.stringify(seen)}`);
    });
  return read(address);
}

test("a run is made, and a trial delivered, on demand only", async () => {
  const id = await keptTrial("demand");
  expect(lab.proxy.callsTo("runs/create")).toEqual([]);

  const made = await ask(`/api/sync/trials/${id}/run`);
  const run = await reached(made, "is over", ({ state }) => state === "succeeded");
  expect(run).toMatchObject({ attempts: 0, counts: { runs_created: 1 }, errors: [] });
  const { runId } = await lab.mlflow.trial("demand", "t");

  const delivered = await ask(`/api/sync/trials/${id}`);
  await reached(delivered, "is over", ({ state }) => state === "succeeded");
  expect(await lab.mlflow.trial("demand", "t")).toMatchObject({
    runId,
    params: { lr: "0.1" },
    points: [lossAt(0, 5), lossAt(1, 4)],
  });
  const again = await ask(`/api/sync/trials/${id}/run`);
  expect(await reached(again, "is over", ({ state }) => state === "succeeded")).toMatchObject({
    counts: { runs_created: 0 },
  });
});

test("while MLflow is away a job waits and spends no attempt; when it is back it is done", async () => {
  const id = await keptTrial("waiting");
  lab.proxy.fail({}, FAULTS.refuse);
  const address = await ask(`/api/sync/trials/${id}`);
  const waiting = await reached(address, "has waited", ({ snoozes }) => snoozes >= 3);
  expect(waiting).toMatchObject({ attempts: 0, counts: {}, errors: [{ attempt: 1, kind: "snoozed" }] });
  expect((await lab.relay.ask(`/api/sync/trials/${id}`)).body).toMatchObject({ created: false });
  lab.proxy.heal();
  const done = await reached(address, "is over", ({ state }) => state === "succeeded");
  expect(done).toMatchObject({ attempts: 0 });
  const run = await lab.mlflow.trial("waiting", "t");
  expect(run.points).toEqual([lossAt(0, 5), lossAt(1, 4)]);
});

test("what MLflow refuses five times is failed, and a retry by hand begins anew", async () => {
  const id = await keptTrial("refused");
  const rule = lab.proxy.fail({ path: "runs/create", body: '"t"' }, FAULTS.invalidParameter);
  const address = await ask(`/api/sync/trials/${id}`);
  const failed = await reached(address, "is over", ({ state }) => state === "failed");
  expect(failed).toMatchObject({ attempts: 5, errors: [1, 2, 3, 4, 5].map((attempt) => ({ attempt })) });
  expect(failed.errors[0]?.error).toContain("Invalid value for a metric");
  expect(rule.hits()).toBe(5);
  lab.proxy.heal();
  expect((await lab.relay.ask(`${address}/retry`)).status).toBe(202);
  const done = await reached(address, "is over", ({ state }) => state === "succeeded");
  expect(done.errors).toHaveLength(5);
  expect((await lab.mlflow.trial("refused", "t")).points).toEqual([lossAt(0, 5), lossAt(1, 4)]);
});
