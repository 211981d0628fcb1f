import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { AT, aRun, aSearch, makeRun, type SearchedRun } from "../lib/searched-runs.ts";
import { type Lab, openLab } from "./lab.ts";

/**
 * What a client finds through the gateway, against MLflow itself: the same runs in the same order with the same data,
 * while MLflow is away as later, when it has them.
 */

const RUNS = 30;
const RUNS_ELSEWHERE = 15;
const SEARCHES = 100;
const LEAST_THAT_FIND = SEARCHES / 8;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

type Init = { method: "POST"; body: string; headers: { "content-type": string } };

function posting(send: (endpoint: string, init: Init) => Promise<Response>) {
  return async (endpoint: string, body: object): Promise<unknown> => {
    const headers = { "content-type": "application/json" };
    const response = await send(endpoint, { method: "POST", body: JSON.stringify(body), headers });
    const answer = await response.text();
    if (response.status !== 200)
      throw new Error(`${response.status} to ${endpoint} ${JSON.stringify(body)}: ${answer}`);
    return JSON.parse(answer);
  };
}
const mlflow = posting((endpoint, init) => fetch(`${lab.trackingUri}/api/2.0/mlflow/${endpoint}`, init));
const gateway = posting((endpoint, init) => lab.relay.fetch(`/api/2.0/mlflow/${endpoint}`, init));

const pairs = z
  .array(z.looseObject({ key: z.string(), value: z.union([z.string(), z.number()]) }))
  .default([]);
const page = z.object({
  runs: z
    .array(
      z.object({
        info: z.object({
          run_name: z.string(),
          user_id: z.string(),
          status: z.string(),
          start_time: z.number(),
          end_time: z.number().optional(),
          lifecycle_stage: z.string(),
        }),
        data: z.object({ params: pairs, tags: pairs, metrics: pairs }),
      }),
    )
    .default([]),
  next_page_token: z.string().optional(),
});

/** MLflow's databases keep no infinity. */
const GREATEST = 1.7976931348623157e308;
const meant = (value: string | number) =>
  value === GREATEST ? "Infinity" : value === -GREATEST ? "-Infinity" : value;
/** In any order, without what the relay says of itself. */
const told = (items: z.output<typeof pairs>) =>
  items
    .filter(({ key }) => !key.startsWith("relay."))
    .map((item) => ({ ...item, value: meant(item.value) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));

type Search = { filter: string; order: string | undefined };

async function found(post: typeof mlflow, experimentId: string, { filter, order }: Search) {
  const order_by = order === undefined ? [] : [order];
  const asked = { experiment_ids: [experimentId], filter, order_by, max_results: RUNS / 2 };
  const first = page.parse(await post("runs/search", asked));
  const { next_page_token: page_token } = first;
  const more =
    page_token === undefined ? [] : page.parse(await post("runs/search", { ...asked, page_token })).runs;
  return [...first.runs, ...more].map(({ info, data }) => ({
    info,
    params: told(data.params),
    tags: told(data.tags),
    metrics: told(data.metrics),
  }));
}

/** Ids are not the same on both sides, so nothing may hang on them: each starts at a time of its own. */
const search = aSearch.filter(({ order }) => !order?.startsWith("run_id"));
function someRuns(count: number, after: number): SearchedRun[] {
  const starts = fc.sample(fc.shuffledSubarray([...Array(count).keys()], { minLength: count }), 1)[0] ?? [];
  return fc.sample(aRun, count).map((run, i) => ({ ...run, start: AT + after + (starts[i] ?? 0) }));
}

const created = z.object({ experiment_id: z.string() });
const experiment = z.object({ experiment: created });
const job = z.object({ state: z.string() });

test("the gateway finds what MLflow finds, in its order, and found it while MLflow was away", async () => {
  lab.proxy.fail({}, { kind: "refuse" });
  const { experiment_id } = created.parse(await gateway("experiments/create", { name: "searched" }));
  for (const run of someRuns(RUNS, 0)) await makeRun(gateway, experiment_id, run);
  const searches = fc.sample(search, SEARCHES);
  const before = [];
  for (const asked of searches) before.push(await found(gateway, experiment_id, asked));

  lab.proxy.heal();
  await lab.relay.until("MLflow has everything", async () => {
    await lab.relay.cron();
    return lab.relay.store.behind(null).length === 0;
  });
  const named = await fetch(
    `${lab.trackingUri}/api/2.0/mlflow/experiments/get-by-name?experiment_name=searched`,
  );
  const theirs = experiment.parse(await named.json()).experiment.experiment_id;
  for (const [i, asked] of searches.entries())
    expect(before[i], JSON.stringify(asked)).toEqual(await found(mlflow, theirs, asked));
  expect(before.filter((runs) => runs.length > 0).length).toBeGreaterThan(LEAST_THAT_FIND);

  for (const run of someRuns(RUNS_ELSEWHERE, RUNS)) await makeRun(mlflow, theirs, run);
  const pull = await lab.relay.ask("/api/sync/experiments", { experiment_id: theirs });
  await lab.relay.until("the experiment is here", async () => {
    const { body } = await lab.relay.get(`/api/sync/jobs/${pull.body.job_id}`);
    return job.parse(body).state === "succeeded";
  });
  for (const asked of fc.sample(search, SEARCHES)) {
    const [here, there] = await Promise.all([
      found(gateway, experiment_id, asked),
      found(mlflow, theirs, asked),
    ]);
    expect(here, JSON.stringify(asked)).toEqual(there);
  }
});
