import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { fold } from "../../src/domain/fold.ts";
import type { Run } from "../../src/mlflow/types.ts";
import { runSearch } from "../../src/search/search.ts";
import { createExperiment } from "../../src/store/gateway/change-experiment.ts";
import { findRows } from "../../src/store/gateway/search-rows.ts";
import { scopeOf } from "../../src/store/gateway/search-scope.ts";
import { storeFold } from "../../src/store/journal/fold.ts";
import { loadUnfolded } from "../../src/store/journal/unfolded.ts";
import { markPulled, mirrorExperiment } from "../../src/store/mirror/experiments.ts";
import { mirrorRuns } from "../../src/store/mirror/runs.ts";
import { foldAll, idOf, post } from "./api.ts";
import { call, newRun, read, runOf } from "./gateway-api.ts";
import { metered } from "./metered.ts";

const { DB: db } = env;

async function newExperiment(id: string, name: string, createdTime = 1, tags: Record<string, string> = {}) {
  const artifactLocation = `mlflow-artifacts:/${id}`;
  const more = {
    mlflowExperimentId: null,
    updatedTime: createdTime,
    isOurs: true,
    lifecycle: "active",
  } as const;
  await createExperiment(db, { ...more, id, name, artifactLocation, tags, createdTime });
}

async function search(experiment_id: string, asked: object = {}) {
  const { status, headers, body } = await call("runs/search", { experiment_ids: [experiment_id], ...asked });
  expect(status, JSON.stringify(body)).toBe(200);
  const runs: { info: Record<string, string>; data: object }[] = body.runs ?? [];
  return {
    runs,
    next: body.next_page_token,
    isPartial: headers.get("x-relay-partial"),
    names: runs.map(({ info }) => info.run_name).join(""),
  };
}

/** As a delivery leaves it. */
async function linkExperiment(id: string, mlflowId: string) {
  const query = "update gateway_experiments set mlflow_experiment_id = ?2 where id = ?1";
  await db.prepare(query).bind(id, mlflowId).run();
}

async function linkRun(key: string, mlflowRunId: string, mlflowExperimentId: string) {
  await db.batch([
    db
      .prepare("update streams set mlflow_run_id = ?2, mlflow_experiment_id = ?3 where key = ?1")
      .bind(key, mlflowRunId, mlflowExperimentId),
    db
      .prepare(
        "update mlflow_runs set stream_id = (select id from streams where key = ?1) where mlflow_run_id = ?2",
      )
      .bind(key, mlflowRunId),
  ]);
}

const idIn = (name: string) => name.repeat(32).slice(0, 32);

/** A run as MLflow shows it, named by a letter. */
function mlflowRun(
  name: string,
  experimentId: string,
  startTime: number,
  data: { params?: object; tags?: object; metrics?: Record<string, number> } = {},
): Run {
  const pairs = (record: object = {}) =>
    Object.entries(record).map(([key, value]) => ({ key, value: String(value) }));
  return {
    info: {
      runId: idIn(name),
      runName: name,
      experimentId,
      userId: "trial-relay",
      status: "FINISHED",
      startTime,
      endTime: startTime + 1,
      artifactUri: `s3://there/${name}`,
      lifecycleStage: "active",
    },
    data: {
      params: pairs(data.params),
      tags: pairs(data.tags),
      metrics: Object.entries(data.metrics ?? {}).map(([key, value]) => ({
        key,
        value,
        step: 5,
        timestamp: 1,
      })),
    },
    inputs: { datasets: [], modelIds: [] },
    outputs: [],
  };
}

const HERE = "900000000000000001";
const runs: Record<string, string> = {};

beforeAll(async () => {
  await newExperiment(HERE, "searched");
  const made = [
    ["a", 3, { lr: "0.1", depth: "3" }, { loss: 0.5, acc: 1 }],
    ["b", 1, { lr: "0.2" }, { loss: "NaN" }],
    ["c", 2, { lr: "0.1" }, { loss: 0.25 }],
    ["d", 4, {}, {}],
  ] as const;
  for (const [name, start_time, params, metrics] of made) {
    const run_id = await newRun({ experiment_id: HERE, run_name: name, start_time, user_id: "ann" });
    runs[name] = run_id;
    await call("runs/log-batch", {
      run_id,
      params: Object.entries(params).map(([key, value]) => ({ key, value })),
      metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp: 1, step: 1 })),
      tags: [{ key: "team", value: name === "a" ? "Vision" : "speech" }],
    });
  }
  await call("runs/update", { run_id: runs.c, status: "FINISHED", end_time: 9 });
});

describe("a search of runs", () => {
  it("finds what was said a moment ago, as it is read one by one", async () => {
    const found = await search(HERE);
    expect(found.names).toBe("dacb");
    expect(found.isPartial).toBeNull();
    expect(found.next).toBeUndefined();
    for (const run of found.runs) expect(run).toEqual(await runOf(String(run.info.run_id)));
  });

  it("finds it after every write", async () => {
    const run_id = await newRun({ experiment_id: "0", run_name: "w", start_time: 1 });
    for (const value of [3, 2, 1]) {
      await call("runs/log-metric", { run_id, key: "loss", value, timestamp: 5, step: 10 - value });
      expect((await search("0", { filter: `metrics.loss = ${value}` })).names).toBe("w");
      expect((await search("0", { filter: `metrics.loss > ${value}` })).names).toBe("");
    }
    await call("runs/set-tag", { run_id, key: "mlflow.runName", value: "v" });
    expect((await search("0", { filter: "run_name = 'v'" })).names).toBe("v");
  });

  it("finds the last word where another folds the run at the same time, who has not read it", async () => {
    const run_id = await newRun({ experiment_id: "0", run_name: "r" });
    const stream = await db
      .prepare("select id, kind, folded_seq as foldedSeq from streams where key = ?1")
      .bind(run_id)
      .first<{ id: number; kind: "trial"; foldedSeq: number }>();
    const helping = stream && (await loadUnfolded(db, stream));
    if (!helping) throw new Error("there is nothing to fold");
    const after = fold(helping.before, helping.events, helping.points);
    await call("runs/log-metric", { run_id, key: "raced", value: 1, timestamp: 1, step: 1 });
    let moved = false;
    const racing = new Proxy(db, {
      get(target, name) {
        const member = Reflect.get(target, name);
        if (name === "prepare")
          return (text: string) => {
            moved ||= text.startsWith("update streams set folded_seq");
            return target.prepare(text);
          };
        if (name === "batch")
          return async (statements: D1PreparedStatement[]) => {
            // The other is a moment ahead.
            if (moved) await storeFold(db, stream, helping, after, 1);
            return target.batch(statements);
          };
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const asked = { experiment_ids: ["0"], filter: "metrics.raced = 1" };
    const { body } = await call("runs/search", asked, { bindings: { DB: racing } });
    expect(moved).toBe(true);
    expect(body.runs).toHaveLength(1);
  });

  it("by datasets finds what was given them a moment ago", async () => {
    const run_id = await newRun({ experiment_id: "0", run_name: "q" });
    const of = (name: string, digest: string, context: string) => ({
      tags: [{ key: "mlflow.data.context", value: context }],
      dataset: { name, digest, source_type: "code", source: "{}" },
    });
    const datasets = [of("iris", "5f", "train"), of("moons", "77", "eval")];
    await call("runs/log-inputs", { run_id, datasets });
    const by = async (filter: string) => (await search("0", { filter })).names;
    expect(await by("dataset.name = 'iris'")).toBe("q");
    expect(await by("datasets.digest IN ('5f', '6a') AND dataset.name LIKE 'm%'")).toBe("q");
    expect(await by("dataset.context = 'eval'")).toBe("q");
    expect(await by("dataset.name != 'iris'")).toBe("q");
    expect(await by("dataset.context = 'test'")).toBe("");
    expect(await by(Array(30).fill("dataset.name = 'iris'").join(" AND "))).toBe("q");
  });

  it.for([
    ["metrics.loss < 1", "", "ac"],
    ["metrics.loss != 0.5", "", "cb"],
    ["params.lr = '0.1' AND metrics.loss < 0.5", "", "c"],
    ["params.depth IS NULL", "", "dcb"],
    ["tags.team ILIKE 'vis%'", "", "a"],
    ["status = 'FINISHED'", "", "c"],
    ["end_time > 5", "", "c"],
    ["user_id = 'ann' AND start_time > 2", "", "da"],
    ["", "metrics.loss", "cabd"],
    ["", "metrics.loss DESC", "acbd"],
    ["", "params.lr DESC, start_time ASC", "bcad"],
    ["", "end_time ASC", "cdab"],
    ["tags.`mlflow.runName` = 'a'", "", "a"],
  ] as const)("for %s, by %s, finds %s", async ([filter, order, names]) => {
    const found = await search(HERE, { filter, ...(order && { order_by: order.split(", ") }) });
    expect(found.names).toBe(names);
  });

  it("with as many clauses and keys as it may have goes into one statement", async () => {
    const each = ["metrics.`loss` < 1", `params.lr LIKE '%${"_".repeat(60)}%'`, "tags.`a \"b\"` != 'x'"];
    for (const clause of each) {
      const filter = Array(30).fill(clause).join(" AND ");
      const order_by = Array.from({ length: 10 }, (_, i) => `metrics.m${i}`);
      expect((await search(HERE, { filter, order_by })).names).toBe(clause === each[0] ? "ac" : "");
    }
  });

  it("goes on where a page ended", async () => {
    const first = await search(HERE, { max_results: 3 });
    expect(first.names).toBe("dac");
    const second = await search(HERE, { max_results: 3, page_token: first.next });
    expect(second.names).toBe("b");
    expect(second.next).toBeUndefined();
    expect((await search(HERE, { max_results: 4 })).next).toBeUndefined();
  });

  it("knows a run that was deleted, by itself or with its experiment", async () => {
    const id = "900000000000000002";
    await newExperiment(id, "to be deleted");
    const x = await newRun({ experiment_id: id, run_name: "x" });
    await newRun({ experiment_id: id, run_name: "y" });
    await call("runs/delete", { run_id: x });
    const views = async () =>
      Promise.all(
        ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"].map(async (run_view_type) => {
          return (await search(id, { run_view_type, order_by: ["attributes.run_name"] })).names;
        }),
      );
    expect(await views()).toEqual(["y", "x", "xy"]);
    await call("experiments/delete", { experiment_id: id });
    expect(await views()).toEqual(["", "xy", "xy"]);
    await call("runs/restore", { run_id: x });
    expect(await views()).toEqual(["x", "y", "xy"]);
  });

  it.for([
    [{ filter: "metrics.a = 1 OR metrics.b = 2" }, "Invalid clause(s) in filter string: 'OR'"],
    [{ filter: "status IN ('FINISHED')" }, /^Only \['run_id'\] attributes support comparison/],
    [{ order_by: ["metrics.a DSC"] }, "Invalid ordering key in order_by clause 'metrics.a DSC'."],
    [{ page_token: "abc" }, "Invalid page token, could not base64-decode"],
  ] as const)("%o is refused", async ([asked, said]) => {
    const { status, body } = await call("runs/search", { experiment_ids: [HERE], ...asked });
    expect(status).toBe(400);
    expect(body.error_code).toBe("INVALID_PARAMETER_VALUE");
    if (typeof said === "string") expect(body.message).toBe(said);
    else expect(body.message).toMatch(said);
  });

  it("leaves out a run of which its maker never heard, where the same was made again and used", async () => {
    await newExperiment("900000000000000008", "asked twice");
    const body = { experiment_id: "900000000000000008", run_name: "twin", start_time: 7 };
    const [first, second] = [await newRun(body), await newRun(body)];
    const found = async () => (await search(body.experiment_id)).runs.map(({ info }) => info.run_id).sort();
    expect(await found()).toEqual([first, second].sort());
    await call("runs/set-tag", { run_id: second, key: "used", value: "yes" });
    expect(await found()).toEqual([second]);
    await runOf(first);
    expect(await found()).toEqual([first, second].sort());
  });

  it("reads no more for a request that was sent again and again", async () => {
    const [id, twins] = ["900000000000000009", 1_000];
    await newExperiment(id, "asked a thousand times");
    const n = `with recursive n(i) as (select 2000000 union all select i + 1 from n where i < 2000000 + ${twins} - 1)`;
    const insert = `insert into gateway_runs (stream_id, run_id, experiment_id, artifact_uri, created_at, touched_at, create_hash)`;
    const made = `select i, format('%032x', i), ?1, 'u', iif(i % 2, 1, 700000), iif(i % 2, 2, null), 'same' from n`;
    await db.prepare(`${n} ${insert} ${made}`).bind(id).run();
    const { db: counted, meter } = metered(db);
    const asked = runSearch("", []);
    const scope = await scopeOf(counted, [id], asked.clauses, 10);
    const rows = await findRows(counted, scope, asked, ["active"], { offset: 0, limit: twins });
    expect(rows).toHaveLength(twins);
    expect(meter.rowsRead).toBeLessThanOrEqual(5 * twins);
  });

  it("without an experiment, or in one that nobody knows, finds nothing", async () => {
    expect((await call("runs/search", {})).body).toEqual({});
    expect((await call("runs/search", { experiment_ids: ["12345"] })).body).toEqual({});
  });
});

describe("beside what only MLflow has", () => {
  const ID = "900000000000000003";
  const THEIRS = "71";
  let own = "";
  beforeAll(async () => {
    await newExperiment(ID, "shared");
    own = await newRun({ experiment_id: ID, run_name: "o", start_time: 2 });
    await call("runs/log-metric", { run_id: own, key: "loss", value: 2, timestamp: 1, step: 1 });
    await linkExperiment(ID, THEIRS);
    await post({ event: "ml.trial.start", model_run_id: "m", trial_id: "e", spectral_norm: true });
    await post({
      event: "ml.trial.complete",
      model_run_id: "m",
      trial_id: "e",
      spectral_norm: true,
      metrics: { loss: 3 },
      parameters: { lr: 7 },
    });
    await foldAll();
    const parent = { "mlflow.parentRunId": idIn("1") };
    await mirrorRuns(
      db,
      [
        mlflowRun("1", THEIRS, 2, { metrics: { loss: 1 } }),
        mlflowRun("2", THEIRS, 3, { metrics: { loss: 9 } }),
        mlflowRun("3", THEIRS, 1, { params: { lr: "7" }, metrics: { loss: 4 }, tags: parent }),
      ],
      1,
    );
    await linkRun(own, idIn("1"), THEIRS);
    await linkRun(await idOf("e"), idIn("2"), THEIRS);
  });

  it("a search finds each run once, under the ids that were given first, whichever its experiment is asked for by", async () => {
    for (const id of [ID, THEIRS]) {
      const { runs } = await search(id, { order_by: ["attributes.run_name"] });
      expect(runs.map(({ info }) => [info.run_id, info.experiment_id])).toEqual([
        [idIn("3"), ID],
        [await idOf("e"), ID],
        [own, ID],
      ]);
    }
  });

  it("a run is found by either id", async () => {
    for (const filter of [
      `run_id = '${idIn("1")}'`,
      `run_id IN ('${own}')`,
      `run_id IN ('x', '${idIn("1")}')`,
    ])
      expect((await search(ID, { filter })).names, filter).toBe("o");
    expect((await search(ID, { filter: `run_id != '${idIn("1")}'` })).runs).toHaveLength(2);
    for (const parent of [own, idIn("1")])
      expect((await search(ID, { filter: `tags.mlflow.parentRunId = '${parent}'` })).names).toBe("3");
  });

  it("what it says of itself and what MLflow has of it are one: of a metric the later", async () => {
    expect((await search(ID, { filter: "metrics.loss = 1" })).names).toBe("o");
    expect((await search(ID, { filter: "params.lr = '7'", order_by: ["start_time"] })).names).toBe("3e");
    for (const run of (await search(ID)).runs) {
      const { run_id = "" } = run.info;
      if (run_id !== idIn("3")) expect(run).toEqual(await runOf(run_id));
      else
        expect(run).toMatchObject({
          info: {
            user_id: "trial-relay",
            status: "FINISHED",
            start_time: 1,
            end_time: 2,
            artifact_uri: "s3://there/3",
          },
          data: {
            params: [{ key: "lr", value: "7" }],
            metrics: [{ key: "loss", value: 4, step: 5, timestamp: 1 }],
            tags: [{ key: "mlflow.parentRunId", value: own }],
          },
        });
    }
  });

  it("it says where MLflow may have more", async () => {
    const seen = {
      experimentId: "72",
      name: "theirs",
      artifactLocation: null,
      lifecycleStage: "active",
    } as const;
    await mirrorExperiment(db, { ...seen, creationTime: 1, lastUpdateTime: 1, tags: [] }, 1);
    expect((await search("72")).isPartial).toBe("true");
    await markPulled(db, "72", 1);
    expect((await search("72")).isPartial).toBeNull();
    expect((await search("99")).isPartial).toBe("true");
    expect((await search(ID)).isPartial).toBeNull();
  });
});

describe("a search of experiments", () => {
  beforeAll(async () => {
    await newExperiment("900000000000000011", "alpha", 10, { team: "Vision" });
    await newExperiment("900000000000000012", "beta", 10);
    await newExperiment("900000000000000013", "Gamma", 30, { team: "speech", 'odd "key"': "x" });
    await linkExperiment("900000000000000012", "81");
    for (const [experimentId, name, creationTime] of [
      ["81", "beta", 11],
      ["82", "delta", 20],
    ] as const)
      await mirrorExperiment(
        db,
        {
          experimentId,
          name,
          creationTime,
          lastUpdateTime: creationTime,
          artifactLocation: null,
          lifecycleStage: "active",
          tags: [{ key: "team", value: "vision" }],
        },
        1,
      );
  });

  const among = "creation_time >= 10 AND creation_time <= 30";
  async function names(filter: string, order_by: string[] = [], more: object = {}) {
    const { status, body } = await call("experiments/search", {
      filter: [among, filter].filter(Boolean).join(" AND "),
      order_by,
      max_results: 100,
      ...more,
    });
    expect(status, JSON.stringify(body)).toBe(200);
    const found: { name: string }[] = body.experiments ?? [];
    return found.map(({ name }) => name).join(" ");
  }

  it.for([
    ["", [], "Gamma delta alpha beta"],
    ["", ["name"], "Gamma alpha beta delta"],
    ["", ["creation_time ASC"], "beta alpha delta Gamma"],
    ["", ["creation_time ASC", "experiment_id ASC"], "alpha beta delta Gamma"],
    ["", ["experiment_id"], "delta alpha beta Gamma"],
    ["name LIKE 'a%'", [], "alpha"],
    ["name ILIKE 'g%'", [], "Gamma"],
    ["tags.team = 'vision'", [], "delta"],
    ["tags.team != 'vision'", [], "Gamma alpha"],
    ["tags.team IS NULL", [], "beta"],
    ["tags.`odd \"key\"` = 'x'", [], "Gamma"],
    ["experiment_id = '81'", [], "beta"],
    ["experiment_id IN ('81', ' 082', '900000000000000011')", [], "delta alpha beta"],
    ["experiment_id NOT IN ('81')", [], "Gamma delta alpha"],
    ["last_update_time > 20", [], "Gamma"],
  ] as const)("for %s, by %o, finds %s", async ([filter, order, found]) => {
    expect(await names(filter, [...order])).toBe(found);
  });

  it("is answered with all that is known of each, in pages, to a GET as well", async () => {
    const asked = { filter: "name LIKE '%a'", order_by: "name", max_results: "1" };
    const first = await read("experiments/search", asked);
    expect(first.body).toEqual({
      experiments: [
        {
          experiment_id: "900000000000000013",
          name: "Gamma",
          artifact_location: "mlflow-artifacts:/900000000000000013",
          lifecycle_stage: "active",
          creation_time: 30,
          last_update_time: 30,
          tags: [
            { key: 'odd "key"', value: "x" },
            { key: "team", value: "speech" },
          ],
        },
      ],
      next_page_token: btoa('{"offset": 1}'),
    });
    const second = await read("experiments/search", { ...asked, page_token: first.body.next_page_token });
    expect(second.body.experiments[0].name).toBe("alpha");
  });

  it("shows what is deleted only where it is asked for", async () => {
    await db.prepare("update gateway_experiments set lifecycle = 'deleted' where name = 'alpha'").run();
    expect(await names("")).toBe("Gamma delta beta");
    expect(await names("", [], { view_type: "DELETED_ONLY" })).toBe("alpha");
    expect(await names("", [], { view_type: "ALL" })).toBe("Gamma delta alpha beta");
  });

  it.for([
    [
      "attributes.name = 'a'",
      "Invalid entity type 'attributes'. Valid entity types are ('attribute', 'tag', 'tags')",
    ],
    ["creation_time > 1.5", "Invalid value for numeric attribute 'creation_time': '1.5'"],
  ] as const)("%s is refused", async ([filter, message]) => {
    const { status, body } = await call("experiments/search", { filter, max_results: 5 });
    expect(status).toBe(400);
    expect(body).toEqual({ error_code: "INVALID_PARAMETER_VALUE", message });
  });
});

describe("with 10,000 runs in one experiment", () => {
  const MANY = 10_000;
  const LOOKUPS = 100;
  const ID = "900000000000000021";
  beforeAll(async () => {
    await newExperiment(ID, "large");
    const n = `with recursive n(i) as (select 1000000 union all select i + 1 from n where i < 1000000 + ${MANY} - 1)`;
    await db.batch(
      [
        `insert into streams (id, key, kind, trial_id, created_at, updated_at)
         select i, format('%032x', i), 'trial', format('%032x', i), 1, 1 from n`,
        `insert into gateway_runs (stream_id, run_id, experiment_id, run_name, start_time, artifact_uri, created_at)
         select i, format('%032x', i), '${ID}', 'run ' || i, i * 7919 % 10007, 'u', 1 from n`,
        "insert into params select i, 'lr', format('%g', i % 1000 / 1000.0), 1 from n",
        "insert into tags (stream_id, key, value, at, event_id, seq) select i, 'note', 'a note ' || i, 1, 'e', 1 from n",
        "insert into metric_summaries select i, 'loss', i % 100 / 100.0, 1, i, 0, 1, 1 from n",
      ].map((query) => db.prepare(`${n} ${query}`)),
    );
  });

  it.for([
    ["", "", 2],
    ["metrics.loss < 0.5", "", 4],
    ["params.lr = '0.1' AND metrics.loss < 0.5", "metrics.loss DESC", 4],
    ["tags.note LIKE '%99%'", "tags.note", 4],
  ] as const)("%s, sorted by %s, reads at most %i rows a run", async ([filter, order, most]) => {
    const { db: counted, meter } = metered(db);
    const asked = runSearch(filter, order ? [order] : []);
    const scope = await scopeOf(counted, [ID], asked.clauses, 10);
    expect(await findRows(counted, scope, asked, ["active"], { offset: 0, limit: 10 })).toHaveLength(10);
    expect(meter.rowsRead).toBeLessThanOrEqual(most * MANY + LOOKUPS);
  });

  it("cuts a page short that is too large for one answer, and goes on", async () => {
    const rows = "with recursive n(i) as (select 5 union all select i + 1 from n where i < 2404)";
    const text = "replace(hex(zeroblob(3000)), '0', 'x')";
    await db
      .prepare(`${rows} insert into params select 1000000 + i % 5, 'large ' || (i / 5), ${text}, 1 from n`)
      .run();
    const asked = { filter: "params.`large 1` IS NOT NULL", max_results: 50_000 };
    const first = await search(ID, asked);
    expect(first.runs).toHaveLength(4);
    const second = await search(ID, { ...asked, page_token: first.next });
    expect(second.runs).toHaveLength(1);
    expect(second.next).toBeUndefined();
  });
});

it("says where it has not heard yet what was said a moment ago of very many runs, and hears of the others next", async () => {
  const { experiment_id } = (await call("experiments/create", { name: "very many at once" })).body;
  const runs = 100;
  for (let n = 0; n < runs; n++)
    await call("runs/log-metric", {
      run_id: await newRun({ experiment_id }),
      key: "loss",
      value: n,
      timestamp: 1,
    });
  const [first, second] = [
    await search(experiment_id, { filter: "metrics.loss >= 0" }),
    await search(experiment_id, { filter: "metrics.loss >= 0" }),
  ];
  expect(first.runs.length).toBeGreaterThan(50);
  expect([first.runs.length < runs, first.isPartial]).toEqual([true, "true"]);
  expect([second.runs.length, second.isPartial]).toEqual([runs, null]);
});
