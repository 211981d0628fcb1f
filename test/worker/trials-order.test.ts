import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { request } from "./api.ts";
import { metered } from "./metered.ts";

/** Lists of trials in every order that there is, of trials that go on, that are over, and that have no value. */

const MANY = 10_000;
const MOST_ROWS_READ = 1_000;
const { DB: db } = env;

const numbers = (from: number, to: number) =>
  `with recursive n(i) as (select ${from} union all select i + 1 from n where i < ${to})`;
const streams = (from: number, to: number, modelRun: string) =>
  `${numbers(from, to)} insert into streams (id, key, kind, model_run_id, trial_id, created_at, updated_at)
   select i, printf('%032x', i), 'trial', '${modelRun}', 't' || i, 1, i from n`;
const trials = (from: number, to: number, columns: string) =>
  `insert into trials (id, key, model_run_id, trial_id, created_at, updated_at, status, warm, started_at, ended_at, duration_ms, rank)
   select id, key, model_run_id, trial_id, 1, id, ${columns} from streams where id between ${from} and ${to}`;

beforeAll(async () => {
  const queries = [
    streams(1, 70, "mixed"),
    trials(
      1,
      70,
      "iif(id % 3, 'succeeded', 'running'), id % 4 = 0, iif(id % 5, id % 7, null), iif(id % 2, id % 6, null), null, id",
    ),
    streams(1_001, 1_000 + MANY, "past"),
    trials(
      1_001,
      1_000 + MANY,
      "iif(id % 2, 'succeeded', 'failed'), 0, id, id, iif(id % 100, id % 50, null), null",
    ),
  ];
  await db.batch(queries.map((query) => db.prepare(query)));
});

const listed = z.object({
  trials: z.array(z.object({ id: z.string() })),
  next_cursor: z.string().nullable(),
});

async function list(query: string) {
  const { db: counted, meter } = metered(db);
  const { status, body } = await request(`/api/trials?${query}`, { bindings: { DB: counted } });
  expect(status, JSON.stringify(body)).toBe(200);
  return { ...listed.parse(body), meter };
}

const COLUMNS = ["started_at", "ended_at", "duration_ms", "rank"];
const orders = COLUMNS.flatMap((column) => [column, `-${column}`]);

describe("the pages of a list", () => {
  it.each(orders)("sorted by %s have each trial once, those without a value last", async (sort) => {
    const [column, way] = sort.startsWith("-") ? [sort.slice(1), "desc"] : [sort, "asc"];
    const query = `select key from trials where model_run_id = 'mixed' order by ${column} ${way} nulls last, id ${way}`;
    const { results } = await db.prepare(query).all<{ key: string }>();
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const after: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { trials: page, next_cursor } = await list(`model_run_id=mixed&sort=${sort}&limit=6${after}`);
      seen.push(...page.map(({ id }) => id));
      cursor = next_cursor;
    }
    expect(seen).toEqual(results.map(({ key }) => key));
  });
});

const ofAStatus = orders.flatMap((sort) => [`${sort}&status=failed`, `${sort}&status=succeeded`]);

it.each([...orders, ...ofAStatus, "updated_at&status=failed", "-updated_at&status=succeeded"])(
  "a list sorted by %s reads what it shows, on the page behind as well, however many trials are over",
  async (sort) => {
    const first = await list(`sort=${sort}`);
    expect(first.meter.rowsRead, first.meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
    const second = await list(`sort=${sort}&cursor=${first.next_cursor}`);
    expect(second.meter.rowsRead, second.meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
  },
);

it("the page of an experiment reads no more for the trials that its model runs have had", async () => {
  await db.batch(
    [
      "insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at) values ('7', 'e', 'active', 1)",
      "update streams set mlflow_experiment_id = '7' where id % 2",
      `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, status, start_time, lifecycle_stage, synced_at)
       select key, '7', id, 'FINISHED', id, 'active', 1 from streams where id % 2`,
      ...["mixed", "past", "elsewhere"].map(
        (name, i) =>
          `insert into model_runs (id, model_run_id, created_at, updated_at) values (${100_000 + i}, '${name}', 1, 1)`,
      ),
    ].map((query) => db.prepare(query)),
  );
  const { db: counted, meter } = metered(db);
  const { status, body } = await request("/api/experiments/7", { bindings: { DB: counted } });
  expect(status).toBe(200);
  const { model_runs } = z
    .object({ model_runs: z.array(z.object({ model_run_id: z.string() })) })
    .parse(body);
  expect(model_runs.map(({ model_run_id }) => model_run_id)).toEqual(["past", "mixed"]);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(100);
});
