import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { type Lab, openLab } from "./lab.ts";

/** What a search finds, against MLflow itself: the same runs in the same order. */

const RUNS = 50;
const SEARCHES = 300;
const LEAST_THAT_FIND = SEARCHES / 8;
const AT = Date.UTC(2026, 0, 1);

const TEXTS = [
  "",
  "a",
  "A",
  "50%",
  "5_0",
  "50",
  "ü",
  "Ü",
  "it's",
  'say "x"',
  "a\\b",
  "[x]",
  "*",
  "0.1",
  "0.10",
  "line\nbreak",
];
const LONG = [
  "a text of more than fifty bytes, as they are found in notes",
  "A TEXT of more than 50 bytes_ as they are found in notes",
];
const KEYS = ["k", "K", "key two", "a.b"];
const NUMBERS = [0, -0.5, 0.1, 1, 1e300, "NaN", "Infinity", "-Infinity"];

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const texts = fc.record(
  Object.fromEntries(KEYS.map((key) => [key, maybe(fc.constantFrom(...TEXTS, ...LONG))])),
);
const numbers = fc.record(Object.fromEntries(KEYS.map((key) => [key, maybe(fc.constantFrom(...NUMBERS))])));
const aRun = fc.record({
  name: fc.constantFrom("run", "Run", "run_1", "run%", "ü"),
  start: fc.integer({ min: AT, max: AT + 20 }),
  status: fc.constantFrom("RUNNING", "FINISHED", "FAILED"),
  params: texts,
  tags: texts,
  metrics: numbers,
});

/** A text in quotes that it does not hold; a backslash at the end would swallow them. */
const quoted = (text: string) => (text.includes("'") ? `"${text}"` : `'${text}'`);
const key = fc.constantFrom(...KEYS).map((name) => `\`${name}\``);
const ofText = fc.oneof(
  fc.tuple(fc.constantFrom("params.", "tags."), key).map((parts) => parts.join("")),
  fc.constantFrom("status", "attributes.run_name", "user_id"),
);
const pattern = fc.constantFrom(
  ...TEXTS,
  ...["%", "_", "5%", "%0", "_0%", "%i_'s%", "a%b", "[%", "%Ü%", "run\\_1", "F%", "%\n%", "r_n", "%U%"],
  ...LONG.map((text) => `%${text.slice(2).replaceAll("e", "_")}`),
  ...LONG.map((text) => `${text.replace("more", "%")}%`),
);
const metric = key.map((name) => `metrics.${name}`);
const sign = fc.constantFrom("=", "!=", "<", "<=", ">", ">=");
const number = fc.constantFrom(
  "0",
  "0.1",
  "-.5",
  "1",
  "1e300",
  "1e308",
  "1e400",
  "-1e400",
  "1.7976931348623157e308",
);
const clause = fc.oneof(
  fc.tuple(
    ofText,
    fc.constantFrom("=", "!="),
    fc.constantFrom(...TEXTS, ...LONG, "FAILED", "run").map(quoted),
  ),
  fc.tuple(ofText, fc.constantFrom("LIKE", "ILIKE"), pattern.filter((p) => !p.includes('"')).map(quoted)),
  fc.tuple(metric, sign, number),
  fc.tuple(fc.constantFrom("start_time", "created"), sign, fc.integer({ min: AT, max: AT + 20 }).map(String)),
  fc
    .tuple(fc.constantFrom("params.", "tags."), key, fc.constantFrom(" IS NULL", " IS NOT NULL"))
    .map((parts) => [parts.join("")]),
);
const filter = fc
  .array(
    clause.map((parts) => parts.join(" ")),
    { minLength: 1, maxLength: 3 },
  )
  .map((clauses) => clauses.join(" AND "));
const term = fc
  .tuple(
    fc.oneof(metric, ofText, fc.constantFrom("start_time", "end_time", "run_id", "Created")),
    fc.constantFrom("", " ASC", " DESC"),
  )
  .map((parts) => parts.join(""));
const search = fc
  .record({ filter: fc.oneof(filter, fc.constant("")), order: maybe(term) })
  // Without either it is a list, which has an order of its own.
  .filter(({ filter, order }) => filter !== "" || order !== undefined);

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

const created = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const given = <T>(record: Record<string, T | undefined>) =>
  Object.entries(record).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));

type AnyRun = typeof aRun extends fc.Arbitrary<infer T> ? T : never;

async function makeRun(experiment_id: string, run: AnyRun): Promise<void> {
  const { name, start, status, params, tags, metrics } = run;
  const made = await mlflow("runs/create", {
    experiment_id,
    start_time: start,
    run_name: name,
    user_id: "ann",
  });
  const { run_id } = created.parse(made).run.info;
  await mlflow("runs/log-batch", {
    run_id,
    params: given(params),
    tags: given(tags),
    metrics: given(metrics).map((point) => ({ ...point, timestamp: AT, step: 0 })),
  });
  await mlflow("runs/update", { run_id, status, ...(status === "RUNNING" ? {} : { end_time: start + 5 }) });
}

const page = z.object({ runs: z.array(created.shape.run).default([]) });
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
  for (const run of fc.sample(aRun, RUNS)) await makeRun(experiment_id, run);
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
