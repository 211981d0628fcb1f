import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import { call } from "./gateway-api.ts";
import { metered } from "./metered.ts";
import { page } from "./page.ts";

/** Searches of experiments and logged models: the first page and each next one cost about what they show. */

const { DB: db } = env;
const MANY = 5_000;
const MOST_ROWS_READ = 2_500;
const WITH_MODELS = "900000000000000001";

const n = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${MANY})`;

beforeAll(async () => {
  const queries = [
    // The relay's own, of which MLflow has two in three, and as many that only MLflow has; some of a moment.
    `${n} insert into gateway_experiments (id, mlflow_experiment_id, name, artifact_location, created_time, updated_time)
     select ${WITH_MODELS} + i - 1, iif(i % 3, 100000 + i, null), 'own ' || (i * 7919 % 10007), 'x', 1000 + i / 3, 1 from n`,
    `${n} insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at, updated_time, created_time)
     select 100000 + i, 'own ' || (i * 7919 % 10007), 'active', 1, 1, 1001 + i / 3 from n where i % 3`,
    `${n} insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at, updated_time, created_time)
     select 200000 + i, iif(i % 2, 'p', 'n') || 'theirs ' || i, iif(i % 5, 'active', 'deleted'), 1, 1, iif(i % 50, 1000 + i / 3, null) from n`,
    `${n} insert into gateway_models (id, artifact_uri, experiment_id, name, model_type, created_time, updated_time, touched_at)
     select printf('m-%032x', i * 7919 % 10007), 'a', '${WITH_MODELS}', 'model', '', 1000 + i / 3, 1, 1 from n`,
    `insert into streams (id, key, kind, trial_id, created_at, updated_at) values (1, 'k', 'trial', 't', 1, 1)`,
    `insert into gateway_runs (stream_id, run_id, experiment_id, artifact_uri, created_at) values (1, 'k', '${WITH_MODELS}', 'a', 1)`,
    `insert into gateway_model_points (model_id, key, timestamp, step, stream_id, seq, value)
     select id, 'loss', 1, 1, 1, 1, n from gateway_models`,
  ];
  await db.batch(queries.map((query) => db.prepare(query)));
});

async function search(path: string, body: object) {
  const { db: counted, meter } = metered(db);
  const answer = await call(path, body, { bindings: { DB: counted } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return { body: answer.body, meter };
}

/** The ids of all pages, each asked for with the token of the one before, and the most that one of them has read. */
async function paged<Body>(path: string, asked: object, idsIn: (body: Body) => string[]) {
  const ids: string[] = [];
  let [most, worst] = [0, ""];
  for (let page_token: string | undefined; ; ) {
    const { body, meter } = await search(path, { ...asked, ...(page_token ? { page_token } : {}) });
    if (meter.rowsRead > most) [most, worst] = [meter.rowsRead, meter.worst()];
    ids.push(...idsIn(body));
    page_token = body.next_page_token;
    if (page_token === undefined) return { ids, most, worst };
  }
}

type Experiments = { experiments: { experiment_id: string }[] };
const experimentIds = ({ experiments }: Experiments) => experiments.map(({ experiment_id }) => experiment_id);

it.each([
  [{}, ["creation_time DESC", "experiment_id ASC"]],
  [{ order_by: ["creation_time ASC"], view_type: "ALL" }, ["creation_time ASC", "experiment_id DESC"]],
  [
    { order_by: ["creation_time DESC"], filter: "name LIKE '%heirs%'" },
    ["creation_time DESC", "experiment_id DESC"],
  ],
  [{ order_by: ["name ASC"], view_type: "DELETED_ONLY" }, ["name ASC", "experiment_id DESC"]],
])(
  "experiments/search of %j finds on all its pages what is found when all is sorted",
  async (asked, order) => {
    // Sorted by nothing that an index has.
    const sorted = { ...asked, order_by: ["last_update_time ASC", ...order], max_results: 50_000 };
    await db.batch(
      ["gateway", "mlflow"].map((whose) => db.prepare(`update ${whose}_experiments set updated_time = 1`)),
    );
    const all = experimentIds((await search("experiments/search", sorted)).body);
    expect(all.length).toBeGreaterThan(900);
    const { ids } = await paged("experiments/search", { ...asked, max_results: 700 }, experimentIds);
    expect(ids).toEqual(all);
  },
);

it.each([{}, { order_by: ["name ASC"] }, { order_by: ["creation_time ASC"] }, { filter: "name = 'own 5'" }])(
  "experiments/search of %j reads about a page",
  async (asked) => {
    const { meter } = await search("experiments/search", { ...asked, max_results: 100 });
    expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
  },
);

it("no page of all experiments reads more than another", async () => {
  const { most, worst } = await paged("experiments/search", { max_results: 1_000 }, experimentIds);
  expect(most, worst).toBeLessThanOrEqual(11_000);
});

it("the page of experiments reads about what it shows", async () => {
  const { status, rowsRead, meter } = await page("/experiments");
  expect(status).toBe(200);
  expect(rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

type Models = { models: { info: { model_id: string }; data: { metrics: object[] } }[] };

it("logged-models/search finds all models on its pages, the latest first, and none reads more than another", async () => {
  const asked = { experiment_ids: [WITH_MODELS], max_results: 400 };
  const { ids, most, worst } = await paged("logged-models/search", asked, ({ models }: Models) =>
    models.map(({ info, data }) => {
      expect(data.metrics).toHaveLength(1);
      return info.model_id;
    }),
  );
  const query = "select id from gateway_models order by created_time desc, id";
  const { results } = await db.prepare(query).all<{ id: string }>();
  expect(ids).toEqual(results.map(({ id }) => id));
  expect(most, worst).toBeLessThanOrEqual(11_000);
  const first = await search("logged-models/search", { ...asked, max_results: 50 });
  expect(first.meter.rowsRead, first.meter.worst()).toBeLessThanOrEqual(1_000);
});
