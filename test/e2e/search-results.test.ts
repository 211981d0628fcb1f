import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { aRun, aSearch, makeRun } from "../lib/searched-runs.ts";
import { type Lab, openLab } from "./lab.ts";

/** What a search finds, against MLflow itself: the same runs in the same order. */

const RUNS = 50;
const SEARCHES = 300;
const LEAST_THAT_FIND = SEARCHES / 8;

// Without either it is a list, which has an order of its own.
const search = aSearch.filter(({ filter, order }) => filter !== "" || order !== undefined);

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

/** What any client of MLflow may send. */
async function mlflow(endpoint: string, body: object): Promise<unknown> {
  const response = await fetch(`${lab.trackingUri}/api/2.0/mlflow/${endpoint}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} to ${JSON.stringify(body)}: ${answer}`);
  return JSON.parse(answer);
}

const page = z.object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).default([]) });
const known = z.object({ runs: z.array(z.object({ mlflow_run_id: z.string() })) });
const job = z.object({ state: z.string() });

async function mlflows(experiment_id: string, filter: string, order: string | undefined): Promise<string[]> {
  const order_by = order === undefined ? [] : [order];
  const asked = { experiment_ids: [experiment_id], filter, order_by, max_results: RUNS };
  return page.parse(await mlflow("runs/search", asked)).runs.map(({ info }) => info.run_id);
}

async function relays(experiment_id: string, filter: string, order: string | undefined): Promise<string[]> {
  const query = new URLSearchParams({ experiment_id, limit: String(RUNS) });
  if (filter !== "") query.set("filter", filter);
  if (order !== undefined) query.set("order_by", order);
  const { status, body } = await lab.relay.get(`/api/runs?${query}`);
  if (status !== 200) throw new Error(JSON.stringify([filter, order, body]));
  return known.parse(body).runs.map(({ mlflow_run_id }) => mlflow_run_id);
}

test("the relay finds what MLflow finds, in its order", async () => {
  const made = await mlflow("experiments/create", { name: "searched" });
  const { experiment_id } = z.object({ experiment_id: z.string() }).parse(made);
  for (const run of fc.sample(aRun, RUNS)) await makeRun(mlflow, experiment_id, run);
  const asked = await lab.relay.ask("/api/sync/experiments", { experiment_id });
  const jobId = z.string().parse(asked.body.job_id);
  await lab.relay.until("the experiment is here", async () => {
    const { body } = await lab.relay.get(`/api/sync/jobs/${jobId}`);
    return job.parse(body).state === "succeeded";
  });
  let found = 0;
  for (const { filter, order } of fc.sample(search, SEARCHES)) {
    const [theirs, ours] = await Promise.all([
      mlflows(experiment_id, filter, order),
      relays(experiment_id, filter, order),
    ]);
    expect(ours, JSON.stringify([filter, order])).toEqual(theirs);
    if (theirs.length > 0) found++;
  }
  expect(found).toBeGreaterThan(LEAST_THAT_FIND);
});
