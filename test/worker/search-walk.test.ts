import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { runSearch } from "../../src/search/search.ts";
import { findRows } from "../../src/store/gateway/search-rows.ts";
import { scopeOf } from "../../src/store/gateway/search-scope.ts";
import { isWalked, type Place } from "../../src/store/gateway/search-walk.ts";
import { call } from "./gateway-api.ts";
import { metered } from "./metered.ts";

/** Searches of runs in order of their starts: what they find, and that what they read does not grow with an experiment. */

const { DB: db } = env;
const MANY = 10_000;
const MOST_ROWS_READ = 2_500;
/** An MLflow client's own, and one that only MLflow's runs and the event API's are in. */
const [LARGE, LARGE_THERE, THEIRS] = ["900000000000000001", "101", "102"];
/** Two that share one of MLflow's, one whose is deleted, and one that MLflow has not. */
const [SMALL, TWIN, DELETED, NOT_THERE] = [
  "900000000000000002",
  "900000000000000003",
  "900000000000000004",
  "900000000000000005",
];

const n = (many: number) =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${many})`;
const experiment = (id: string, there: string | null, lifecycle = "active") =>
  `insert into gateway_experiments (id, mlflow_experiment_id, name, artifact_location, lifecycle, created_time, updated_time)
   values ('${id}', ${there}, 'e ${id}', 'a', '${lifecycle}', ${id === TWIN ? 2 : 1}, 1)`;

/** So many runs of clients from an id on, of which MLflow has all but some; each start is that of some others. */
const clients = (id: string, there: string | null, from: number, many: number) => [
  `${n(many)} insert into streams (id, key, kind, trial_id, created_at, updated_at, mlflow_experiment_id, mlflow_run_id)
   select ${from} + i, printf('%032x', ${from} + i), 'trial', 't' || i, 1, 1, ${there},
     ${there === null ? "null" : `iif(i % 9, printf('c%031x', ${from} + i), null)`} from n`,
  `insert into trials (id, key, trial_id, status, created_at, updated_at)
   select id, key, trial_id, iif(id % 11, 'succeeded', 'running'), 1, 1 from streams where id > ${from}`,
  `${n(many)} insert into gateway_runs (stream_id, run_id, experiment_id, status, start_time, artifact_uri, lifecycle, created_at)
   select ${from} + i, printf('%032x', ${from} + i), '${id}', iif((${from} + i) % 11, 'FINISHED', 'RUNNING'),
     iif(i % 13, i / 3, null), 'a', iif(i % 7, 'active', 'deleted'), i / 3 from n`,
  `insert into params (stream_id, key, value, seq) select id, 'odd', id % 2, 1 from streams where id > ${from}`,
  `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, status, start_time, lifecycle_stage, synced_at)
   select mlflow_run_id, mlflow_experiment_id, g.stream_id, g.status, coalesce(g.start_time, g.created_at), g.lifecycle, 1
   from streams s join gateway_runs g on g.stream_id = s.id where s.id > ${from} and mlflow_run_id is not null`,
];

/** The same that MLflow has, of which every fourth is a trial of the event API. */
const mirrored = (there: string, from: number, many: number) => [
  `${n(many)} insert into streams (id, key, kind, trial_id, created_at, updated_at, mlflow_experiment_id, mlflow_run_id)
   select ${from} + i, printf('%032x', ${from} + i), 'trial', 't' || i, 1, 1, '${there}', printf('d%031x', ${from} + i)
   from n where i % 4 = 0`,
  `insert into trials (id, key, trial_id, status, started_at, created_at, updated_at)
   select id, key, trial_id, iif(id % 8, 'succeeded', 'running'), 1, 1, 1 from streams where id > ${from}`,
  `${n(many)} insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, status, start_time, lifecycle_stage, synced_at, data)
   select printf('d%031x', ${from} + i), '${there}', iif(i % 4, null, ${from} + i), iif(i % 10, 'FINISHED', 'SCHEDULED'), i / 3,
     iif(i % 6, 'active', 'deleted'), 1, json_object('params', json_object('odd', cast(i % 2 as text))) from n`,
];

beforeAll(async () => {
  const there = (id: string) =>
    `insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at) values ('${id}', '${id}', 'active', 1)`;
  const queries = [
    ...[LARGE_THERE, THEIRS, "103", "104"].map(there),
    experiment(LARGE, LARGE_THERE),
    experiment(SMALL, "103"),
    experiment(TWIN, "103"),
    experiment(DELETED, "104", "deleted"),
    experiment(NOT_THERE, null),
    ...clients(LARGE, LARGE_THERE, 100_000, MANY),
    ...mirrored(THEIRS, 200_000, MANY),
    ...clients(SMALL, "103", 300_000, 60),
    ...clients(TWIN, "103", 400_000, 60),
    ...mirrored("103", 500_000, 60),
    ...clients(DELETED, "104", 600_000, 30),
    ...mirrored("104", 700_000, 30),
    ...clients(NOT_THERE, null, 800_000, 30),
    // Of a past that is long only a few run, or are deleted.
    "update gateway_runs set status = 'FINISHED', lifecycle = 'active' where stream_id between 100001 and 199900",
    "update trials set status = 'succeeded' where id between 100001 and 299900",
    "update mlflow_runs set status = 'FINISHED', lifecycle_stage = 'active' where stream_id between 100001 and 199900",
    "update mlflow_runs set status = 'FINISHED', lifecycle_stage = 'active' where mlflow_experiment_id = '102'",
  ];
  await db.batch(queries.map((query) => db.prepare(query)));
});

type Asked = {
  ids: readonly string[];
  filter?: string;
  order?: readonly string[];
  stages?: "active" | "deleted" | "all";
};

async function found(
  { ids, filter = "", order = [], stages = "active" }: Asked,
  size: number,
  after?: Place,
) {
  const asked = runSearch(filter, order);
  const scope = await scopeOf(db, ids, asked.clauses, 10);
  const shown = stages === "all" ? (["active", "deleted"] as const) : [stages];
  const rows = await findRows(db, scope, asked, shown, {
    offset: 0,
    limit: size,
    ...(after ? { after } : {}),
  });
  return { isWalk: isWalked(scope, asked), rows };
}

/** All pages, each behind the one before. */
async function paged(asked: Asked, size: number): Promise<string[]> {
  const ids: string[] = [];
  let after: Place | undefined;
  for (;;) {
    const { rows, isWalk } = await found(asked, size, after);
    expect(isWalk).toBe(true);
    ids.push(...rows.map(({ runId }) => runId));
    const last = rows.at(-1);
    if (last === undefined || rows.length < size) return ids;
    after = { by: last.startTime, id: last.runId };
  }
}

describe("what a search in order of starts finds, page by page", () => {
  const scopes = [[SMALL], ["103"], [DELETED], [NOT_THERE], [SMALL, NOT_THERE, DELETED]];
  const ids = [300_001, 400_002, 500_003, 500_004, 800_005].map((id) => id.toString(16).padStart(32, "0"));
  const theirs = [500_003, 500_004, 700_005].map((id) => `d${id.toString(16).padStart(31, "0")}`);
  const named = [...ids, ...theirs].map((id) => `'${id}'`).join(", ");
  const filters = [
    `attributes.run_id IN (${named})`,
    "",
    "attributes.status = 'RUNNING'",
    "attributes.status = 'FINISHED'",
    "params.odd = '1'",
  ];
  const stages = ["active", "deleted", "all"] as const;
  const cases = scopes.flatMap((ids) => filters.map((filter) => ({ ids, filter })));

  it.each(cases)("is what is found when all is sorted: $ids $filter", async ({ ids, filter }) => {
    for (const stage of stages)
      for (const direction of ["DESC", "ASC"]) {
        const by = `start_time ${direction}`;
        const sorted = await found({ ids, filter, order: [by, "run_id ASC"], stages: stage }, 1_000);
        expect(sorted.isWalk).toBe(false);
        const all = sorted.rows.map(({ runId }) => runId);
        const walked = { ids, filter, order: [by], stages: stage };
        expect(await paged(walked, 7), `${stage} ${by}`).toEqual(all);
        expect(await paged(walked, 1_000)).toEqual(all);
      }
  });
});

it.each([10, 30])("%i conditions of every kind fit into a statement", async (many) => {
  const kinds = [
    "metrics.m < 1",
    "params.`a b` != 'x'",
    "tags.t LIKE 'a%'",
    "dataset.name = 'd'",
    "run_id != 'r'",
  ];
  const filter = Array.from({ length: many }, (_, i) => kinds[i % kinds.length]).join(" AND ");
  const { rows } = await found({ ids: [SMALL, DELETED], filter, stages: "all" }, 50);
  expect(rows).toEqual([]);
});

describe("with 10,000 runs in one experiment", () => {
  const search = async (id: string, more: object) => {
    const { db: counted, meter } = metered(db);
    const asked = { experiment_ids: [id], max_results: 50, ...more };
    const { status, body } = await call("runs/search", asked, { bindings: { DB: counted } });
    expect(status, JSON.stringify(body)).toBe(200);
    return { body, meter };
  };

  it.each([
    [LARGE, {}],
    [LARGE, { filter: "attributes.status = 'RUNNING'" }],
    [LARGE, { order_by: ["attributes.start_time ASC"] }],
    [LARGE, { filter: `attributes.run_id = '${(100_007).toString(16).padStart(32, "0")}'` }],
    [LARGE, { run_view_type: "DELETED_ONLY" }],
    [LARGE, { run_view_type: "ALL", filter: "params.odd = '1'" }],
    [THEIRS, {}],
    [THEIRS, { filter: "attributes.status = 'RUNNING'" }],
    [THEIRS, { filter: "attributes.status = 'SCHEDULED'", run_view_type: "ALL" }],
    [THEIRS, { order_by: ["start_time"] }],
    [THEIRS, { run_view_type: "DELETED_ONLY" }],
  ])("runs/search in %s of %j reads about a page", async (id, more) => {
    const { meter } = await search(id, more);
    expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
  });

  it.each([LARGE, THEIRS])("each next page of %s reads no more, however far behind", async (id) => {
    const asked = { max_results: 1_500 };
    const first = await search(id, asked);
    let token: string = first.body.next_page_token;
    const seen = new Set(first.body.runs.map((run: { info: { run_id: string } }) => run.info.run_id));
    for (let page = 0; page < 3; page++) {
      const { body } = await search(id, { ...asked, page_token: token });
      for (const { info } of body.runs) seen.add(info.run_id);
      token = body.next_page_token;
    }
    expect(seen.size).toBe(6_000);
    const { body, meter } = await search(id, { page_token: token });
    expect(body.runs).toHaveLength(50);
    expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
  });
});
