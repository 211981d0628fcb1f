import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Run } from "../../src/mlflow/types.ts";
import { parseFilter } from "../../src/search/filter.ts";
import { RUNS as RUNS_LANGUAGE } from "../../src/search/languages.ts";
import { parseOrderBy } from "../../src/search/order-by.ts";
import { mirrorRuns } from "../../src/store/mirror/runs.ts";
import { searchRuns } from "../../src/store/views/runs.ts";
import { request } from "./api.ts";
import { metered } from "./metered.ts";

const listed = z.object({
  runs: z.array(z.looseObject({ run_name: z.string() })),
  next_cursor: z.string().nullable(),
});

const pairs = (record: Record<string, string>) =>
  Object.entries(record).map(([key, value]) => ({ key, value }));

function run(
  name: string,
  startTime: number,
  params: Record<string, string>,
  metrics: Record<string, number>,
  tags: Record<string, string> = {},
): Run {
  return {
    info: {
      runId: name.padEnd(32, "0"),
      runName: name,
      experimentId: "7",
      userId: "ann",
      status: "FINISHED",
      startTime,
      endTime: null,
      artifactUri: "mlflow-artifacts:/7",
      lifecycleStage: "active",
    },
    data: {
      params: pairs(params),
      tags: pairs(tags),
      metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, step: 0, timestamp: 1 })),
    },
    inputs: {
      datasets: [
        {
          name: `moons-${name}`,
          digest: "d",
          sourceType: "local",
          source: "/m",
          schema: null,
          profile: null,
          tags: [{ key: "mlflow.data.context", value: name === "a" ? "train" : "eval" }],
        },
      ],
      modelIds: [],
    },
    outputs: [],
  };
}

const LONG = "a_rather_long_name_of_a_series_with_50%_off_and_more_than_fifty_bytes";
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
const RUNS = [
  run("a", 1, { lr: "0.1", 'odd "key"': "x" }, { loss: 0.5, "a b": 1 }, { team: "Vision", note: LONG }),
  run("b", 2, { lr: "0.10" }, { loss: nan }, { team: "vision", note: "50% off" }),
  run("c", 3, {}, { loss: infinity }, { team: "VISION" }),
  run("d", 3, { lr: "adam" }, { loss: -infinity }, { note: "ünï_cödé" }),
  run("e", 5, { lr: "" }, {}, { note: `x${LONG}y` }),
];

beforeAll(() => mirrorRuns(env.DB, RUNS, 1));

async function names(filter: string, order_by = ""): Promise<string> {
  const query = new URLSearchParams({ ...(filter && { filter }), ...(order_by && { order_by }) });
  const { status, body } = await request(`/api/runs?${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return listed
    .parse(body)
    .runs.map(({ run_name }) => run_name)
    .join("");
}

describe("a filter", () => {
  it.for([
    ["params.lr = '0.1'", "a"],
    ["params.lr != '0.1'", "edb"],
    ["params.`odd \"key\"` = 'x'", "a"],
    ["params.lr IS NULL", "c"],
    ["params.lr IS NOT NULL AND tags.team IS NULL", "ed"],
    ["tags.team = 'vision'", "b"],
    ["tags.team LIKE 'V%'", "ca"],
    ["tags.team LIKE '_ision'", "ba"],
    ["tags.team ILIKE 'VIS%'", "cba"],
    ["tags.note LIKE '50% off'", "b"],
    ["tags.note LIKE 'ün__cödé'", "d"],
    ["tags.note LIKE '%[%'", ""],
    [`tags.note LIKE '${LONG}'`, "a"],
    [`tags.note LIKE '%${LONG}%'`, "ea"],
    [`tags.note LIKE '${LONG.replace("off", "OFF")}'`, ""],
    [`tags.note ILIKE '%${LONG.replace("off", "OFF")}%'`, "ea"],
    [`tags.note LIKE '%${"_".repeat(60)}%'`, "ea"],
    [`tags.note LIKE '%long%series%fifty______'`, "a"],
    ["metrics.loss > 0", "ca"],
    ["metrics.loss < 1", "da"],
    ["metrics.loss != 0.5", "cdb"],
    ["metrics.loss < 1e400", "cda"],
    ["metrics.`a b` = 1", "a"],
    ["start_time >= 3 AND Created < 5", "cd"],
    ["status = 'FINISHED' AND user_id LIKE 'a%' AND end_time > 0", ""],
    [`run_id IN ('${"a".padEnd(32, "0")}', 'x')`, "a"],
    ["`Run Name` IN ('a')".replace("IN ('a')", "= 'a'"), "a"],
    ["datasets.name LIKE 'moons-_'", "ecdba"],
    ["dataset.context = 'train' AND datasets.digest IN ('d', 'x')", "a"],
  ] as const)("%s finds %s", async ([filter, found]) => {
    expect(await names(filter)).toBe(found);
  });

  it.for([
    ["filter", "metrics.a = 1 OR metrics.b = 2", "'OR'"],
    ["filter", "status IN ('FINISHED')", "Only ['run_id'] attributes"],
    ["filter", Array(31).fill("metrics.a = 1").join(" AND "), "at most 30"],
    ["order_by", "metrics.a, metrics.a", "duplicate"],
  ] as const)("a %s is refused: %s", async ([field, text, said]) => {
    const { status, body } = await request(`/api/runs?${new URLSearchParams({ [field]: text })}`);
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain(said);
  });

  it("with as many clauses as it may have goes into one statement", async () => {
    const each = ["metrics.loss = 0.5", `tags.note LIKE '%${LONG}%'`, "params.lr = '0.1'"];
    const filter = Array.from({ length: 30 }, (_, i) => each[i % each.length]).join(" AND ");
    const keys = Array.from({ length: 10 }, (_, i) => `metrics.m${i}`).join(", ");
    expect(await names(filter, keys)).toBe("a");
  });
});

describe("order_by", () => {
  it.for([
    ["metrics.loss", "dacbe"],
    ["metrics.loss DESC", "cadbe"],
    ["params.lr", "ebadc".replace("ba", "ab")],
    ["tags.team DESC, start_time ASC", "bacde"],
    ["created ASC", "abcde"],
    ["attributes.run_name desc", "edcba"],
  ] as const)("%s gives %s", async ([order, found]) => {
    expect(await names("", order)).toBe(found);
  });

  it("goes on where a page ended", async () => {
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const query: string = `/api/runs?order_by=metrics.loss&limit=2${cursor && `&cursor=${cursor}`}`;
      const page: z.output<typeof listed> = listed.parse((await request(query)).body);
      seen.push(page.runs.map(({ run_name }) => run_name).join(""));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(["da", "cb", "e"]);
  });

  it.each(["1e300", '"1e400"', "9007199254740993"])("has nothing behind row %s", async (row) => {
    const list = "/api/runs?order_by=metrics.loss";
    const place = new TextEncoder().encode(`["${list}",null,${row}]`);
    const cursor = place.toBase64({ alphabet: "base64url", omitPadding: true });
    const { status, body } = await request(`${list}&cursor=${cursor}`);
    expect([status, body]).toEqual([200, { runs: [], next_cursor: null }]);
  });
});

describe("with 10,000 runs in one experiment", () => {
  const MANY = 10_000;
  beforeAll(() =>
    env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${MANY})
       insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, run_name, status, start_time, lifecycle_stage, synced_at, data)
       select format('%032x', i), '8', 'run ' || i, iif(i % 7, 'FINISHED', 'FAILED'), i, 'active', 1, json_object(
         'params', json_object('lr', format('%g', i / 1000.0), 'depth', format('%d', i % 9)),
         'metrics', json_object('loss', json_object('value', i % 100 / 100.0, 'step', i, 'timestamp', i)),
         'tags', json_object('note', 'a note of about a hundred characters, as a trainer leaves them with a run: ' || i),
         'inputs', json_array(), 'truncated', null)
       from n`,
    ).run(),
  );

  it.for([
    ["", "", 2],
    ["metrics.loss < 0.5", "", 2],
    ["params.depth = '3' AND metrics.loss < 0.5", "metrics.loss DESC", 2],
    ["tags.note LIKE '%: 99%'", "tags.note", 2],
    [`tags.note LIKE '%${"of about a hundred characters, as a trainer leaves them"}%: 99%'`, "", 60],
  ] as const)("%s, sorted by %s, reads at most %i rows a run", async ([filter, order, most]) => {
    const { db, meter } = metered(env.DB);
    const search = {
      clauses: parseFilter(filter, RUNS_LANGUAGE),
      terms: parseOrderBy(order ? [order] : [], RUNS_LANGUAGE),
    };
    const page = await searchRuns(db, { experiment_id: "8", lifecycle: "active" }, search, null, 100);
    expect(page.length).toBeGreaterThan(100);
    expect(meter.rowsRead).toBeLessThanOrEqual(most * MANY);
  });
});
