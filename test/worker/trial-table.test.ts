import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { trialColumns, trialTable } from "../../src/answers/trial-table.ts";
import { app } from "../../src/app.ts";
import { cool } from "../../src/store/stream/warm.ts";
import { ADMIN, foldAll, idOf, post, request } from "./api.ts";
import { metered } from "./metered.ts";

const HOUR_MS = 3_600_000;
const ODD = 'a "key", with\\all: \u202e';

const started = (trial_id: string, spectral_norm: boolean | undefined, parameters: object) => ({
  event: "ml.trial.start",
  model_run_id: "study",
  trial_id,
  ...(spectral_norm === undefined ? {} : { spectral_norm }),
  parameters,
});
const measured = (trial_id: string, step: number, metrics: object) => ({
  event: "ml.run.metric",
  model_run_id: "study",
  trial_id,
  step,
  metrics,
});

beforeAll(async () => {
  const { body } = await post([
    started("a", true, { lr: 0.1, optimizer: "adam" }),
    started("b", false, { lr: 0.01, optimizer: "adam", note: "n".repeat(5_000) }),
    started("c", true, { lr: "1e-3", optimizer: "adam" }),
    started("d", false, { optimizer: "adam", lr: "warm" }),
    measured("a", 1, { loss: 3, acc: 0.1 }),
    measured("a", 2, { loss: 1, acc: 0.5 }),
    measured("a", 3, { loss: 2, acc: 0.4 }),
    measured("b", 1, { loss: "NaN" }),
    measured("c", 1, { loss: "Infinity" }),
    { ...started("z", true, { lr: 7 }), model_run_id: "other" },
  ]);
  expect(body).toMatchObject({ accepted: 10 });
  await foldAll();
  await env.DB.prepare(
    "insert into params (stream_id, key, value, seq) select id, ?1, 'odd', 1 from trials where trial_id = 'a'",
  )
    .bind(ODD)
    .run();
});

async function table(query: Record<string, string>) {
  const { status, body } = await request(`/api/trial-table?${new URLSearchParams(query)}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return trialTable.parse(body);
}

const names = async (query: Record<string, string>) =>
  (await table({ model_run_id: "study", ...query })).trials.trial_id.join("");

describe("the table of trials", () => {
  it("has each column's values in the order of its trials", async () => {
    const columns = [
      "params.lr",
      "metrics.loss",
      "min.loss",
      "max.loss",
      "best.loss",
      "best.acc",
      "tags.nowhere",
    ];
    const { trials, ...rest } = await table({ model_run_id: "study", columns: columns.join(",") });
    expect(trials.trial_id).toEqual(["d", "c", "b", "a"]);
    expect(trials.spectral_norm).toEqual([false, true, false, true]);
    expect(trials.id[3]).toBe(await idOf("a"));
    expect(rest).toEqual({
      more: false,
      columns: [
        { name: "params.lr", values: ["warm", "1e-3", "0.01", "0.1"] },
        { name: "metrics.loss", values: [null, "Infinity", "NaN", 2] },
        { name: "min.loss", values: [null, "Infinity", null, 1] },
        { name: "max.loss", values: [null, "Infinity", null, 3] },
        { name: "best.loss", values: [null, "Infinity", null, 1] },
        { name: "best.acc", values: [null, null, null, 0.5] },
        { name: "tags.nowhere", values: [null, null, null, null] },
      ],
    });
  });

  it("names a column with commas, quotes and backslashes in it, and cuts a long text", async () => {
    const column = `params.${ODD.replace(/[\\,]/g, "\\$&")}`;
    const { columns } = await table({ model_run_id: "study", columns: `${column},params.note` });
    expect(columns[0]).toEqual({ name: `params.${ODD}`, values: [null, null, null, "odd"] });
    expect(columns[1]?.values[2]).toBe(`${"n".repeat(200)}…`);
  });

  it("gives a text whole where that is asked for", async () => {
    const { columns } = await table({ trials: await idOf("b"), columns: "params.note", whole: "true" });
    expect(columns[0]?.values).toEqual(["n".repeat(5_000)]);
  });

  it.for([
    [{ sort: "params.lr" }, "cbad"],
    [{ sort: "-params.lr" }, "dabc"],
    [{ sort: "metrics.loss" }, "acbd"],
    [{ sort: "-metrics.loss" }, "cabd"],
    [{ sort: "trial_id" }, "abcd"],
    [{ sort: "trial_id", limit: "2" }, "ab"],
    [{ spectral_norm: "true" }, "ca"],
    [{ filter: "metrics.loss < 5" }, "a"],
    [{ filter: "params.lr = '0.01' AND tags.spectral_norm IS NOT NULL" }, "b"],
    [{ filter: "attributes.status = 'RUNNING' AND run_name LIKE 'a%'" }, "a"],
    [{ filter: "metrics.loss > 100", spectral_norm: "false" }, ""],
  ] as const)("%j gives %s", async ([query, found]) => {
    expect(await names(query)).toBe(found);
  });

  it("says that there are more trials than it gives", async () => {
    expect((await table({ model_run_id: "study", limit: "3" })).more).toBe(true);
    expect((await table({ model_run_id: "study", limit: "4" })).more).toBe(false);
  });

  it("is also of some trials of several model runs", async () => {
    const trials = `${await idOf("z")},${await idOf("a")},${"0".repeat(32)}`;
    const found = await table({ trials, columns: "params.lr" });
    expect(found.trials.model_run_id).toEqual(["other", "study"]);
    expect(found.columns[0]?.values).toEqual(["7", "0.1"]);
  });
});

it("the columns say how many trials have them and whether they differ", async () => {
  const { body } = await request("/api/trial-columns?model_run_id=study");
  const { trials, columns, more } = trialColumns.parse(body);
  const byKey = Object.fromEntries(columns.map(({ kind, key, ...rest }) => [`${kind}.${key}`, rest]));
  expect([trials, more]).toEqual([4, false]);
  expect(byKey).toMatchObject({
    "params.lr": { trials: 4, differs: true },
    "params.optimizer": { trials: 4, differs: false },
    "params.note": { trials: 1, differs: true },
    "metrics.loss": { trials: 3, differs: true },
    [`params.${ODD}`]: { trials: 1, differs: true },
  });
});

it("the columns of the newest are those of no others", async () => {
  const { body } = await request("/api/trial-columns?model_run_id=study&newest=2");
  const { trials, columns } = trialColumns.parse(body);
  expect([trials, columns.map(({ key }) => key).includes("note")]).toEqual([2, false]);
  const refused = await request("/api/trial-columns?trials=a&newest=2");
  expect([refused.status, JSON.stringify(refused.body)]).toEqual([
    400,
    expect.stringContaining("must come with model_run_id"),
  ]);
});

describe("what is refused", () => {
  it.for([
    ["", 400, "model_run_id"],
    ["model_run_id=study&trials=a", 400, "not both"],
    ["model_run_id=nowhere", 404, "There is no model run nowhere."],
    ["model_run_id=study&filter=metrics.loss+<", 400, "is not a search of MLflow's"],
    ["model_run_id=study&filter=metrics.loss+LIKE+'a'", 400, "filter"],
    ["model_run_id=study&sort=loss", 400, "must be one of trial_id"],
    ["model_run_id=study&columns=status", 400, "must be at most 30 of"],
    ["model_run_id=study&columns=metrics.", 400, "must be at most 30 of"],
    [`model_run_id=study&columns=${Array.from({ length: 31 }, (_, i) => `params.p${i}`)}`, 400, "at most 30"],
    [`trials=${Array.from({ length: 201 }, (_, i) => i)}`, 400, "at most 200"],
    ["trials=a,,b", 400, "public ids"],
    ["model_run_id=study&limit=5001", 400, "from 1 to 5000"],
    ["model_run_id=study&columns=params.lr&whole=true", 400, "must come with trials"],
    [`trials=a&columns=${Array.from({ length: 6 }, (_, i) => `params.p${i}`)}&whole=true`, 400, "at most 5"],
  ] as const)("%s is answered %i", async ([query, status, said]) => {
    const answer = await request(`/api/trial-table?${query}`);
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringContaining(said)]);
  });
});

describe("asked again", () => {
  async function ask(path: string, etag?: string) {
    const { db, meter } = metered(env.DB);
    const headers = { authorization: `Bearer ${ADMIN}`, ...(etag && { "if-none-match": etag }) };
    const response = await app.request(path, { headers }, { ...env, DB: db }, createExecutionContext());
    await response.text();
    return { status: response.status, etag: response.headers.get("etag") ?? "", meter };
  }

  it.each(["/api/trial-table?model_run_id=study", "/api/trial-columns?model_run_id=study"])(
    "%s is unchanged until something of it changes",
    async (path) => {
      const first = await ask(path);
      expect(first.status).toBe(200);
      expect((await ask(path, first.etag)).status).toBe(304);
      await post({
        ...started("z", true, {}),
        event: "ml.trial.complete",
        model_run_id: "other",
        metrics: {},
      });
      await foldAll();
      expect((await ask(path, `W/"x", ${first.etag}`)).status).toBe(304);
      await post(measured("a", Date.now(), { loss: 2 }));
      expect((await ask(path, first.etag)).status).toBe(200);
      const accepted = await ask(path);
      await foldAll();
      const folded = await ask(path, accepted.etag);
      expect(folded.status).toBe(200);
      await env.DB.prepare("update streams set delivered_seq = last_seq where trial_id = 'a'").run();
      expect((await ask(path, folded.etag)).status).toBe(200);
    },
  );
});

describe("with many trials that are over", () => {
  const TRIALS = 2_000;
  const COLUMNS = 50;
  const OTHERS = 20_000;

  beforeAll(async () => {
    const all = TRIALS + OTHERS;
    const trials = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${all})`;
    await env.DB.batch(
      [
        `${trials} insert into streams (id, key, kind, model_run_id, trial_id, created_at, updated_at)
         select 100000 + i, printf('k%031d', i), 'trial', iif(i <= ${TRIALS}, 'large', 'past'), 't' || i, 1, 1 from n`,
        `insert into trials (id, key, model_run_id, trial_id, created_at, updated_at, status)
         select id, key, model_run_id, trial_id, 1, 1, 'succeeded' from streams where id > 100000`,
        `insert into streams (id, key, kind, model_run_id, created_at, updated_at) values (90000, 'large', 'model_run', 'large', 1, 1)`,
        `insert into model_runs (id, model_run_id, created_at, updated_at) values (90000, 'large', 1, 1)`,
        `with recursive k(j) as (select 1 union all select j + 1 from k where j < ${COLUMNS})
         insert into params (stream_id, key, value, seq)
         select id, 'p' || j, id % 7, 1 from k, trials where model_run_id = 'large'`,
        `insert into metric_summaries (stream_id, key, last, last_timestamp, count)
         select id, 'loss', id % 1000 / 10.0, 1, 1 from trials where model_run_id = 'large'`,
      ].map((statement) => env.DB.prepare(statement)),
    );
    await cool(env.DB, Date.now() + HOUR_MS);
  });

  async function cost(query: string, headers: Record<string, string> = {}) {
    const { db, meter } = metered(env.DB);
    const path = `/api/${query}`;
    const response = await app.request(
      path,
      { headers: { authorization: `Bearer ${ADMIN}`, ...headers } },
      { ...env, DB: db },
      createExecutionContext(),
    );
    const text = await response.text();
    return { status: response.status, etag: response.headers.get("etag") ?? "", text, meter };
  }
  const thirty = Array.from({ length: 30 }, (_, i) => `params.p${i + 1}`).join(",");

  it.for([
    ["trial-table?model_run_id=large", 3, 4],
    ["trial-table?model_run_id=large&filter=metrics.loss+<+50&sort=-params.p1", 5, 5],
    ["trial-table?model_run_id=large&limit=1", 1, 4],
    [`trial-table?model_run_id=large&columns=${thirty}`, 30 + 5, 6],
    ["trial-columns?model_run_id=large", 2 * (COLUMNS + 4), 4],
  ] as const)(
    "%s reads at most %i rows a trial, in at most %i statements",
    async ([query, most, statements]) => {
      const { status, meter } = await cost(query);
      expect(status).toBe(200);
      expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(most * TRIALS);
      expect(meter.statements).toBeLessThanOrEqual(statements);
    },
  );

  it("asking again costs next to nothing, however many there are", async () => {
    const first = await cost("trial-table?model_run_id=large");
    const again = await cost("trial-table?model_run_id=large", { "if-none-match": first.etag });
    expect(again.status).toBe(304);
    expect(again.meter.rowsRead, again.meter.worst()).toBeLessThanOrEqual(50);
  });

  it("gives all of its values", async () => {
    const { text } = await cost(`trial-table?model_run_id=large&columns=${thirty}`);
    const { columns } = trialTable.parse(JSON.parse(text));
    expect(columns.every(({ values }) => values.length === TRIALS && !values.includes(null))).toBe(true);
    expect(z.string().parse(columns[0]?.values[0])).toMatch(/^[0-6]$/);
  });
});
